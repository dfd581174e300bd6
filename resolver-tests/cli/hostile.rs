//! Indexes that mean harm: an error that names the URL, or a warning and the next best version.

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::Value;
use torchfix::vocab::Sha256;

use super::support::pages::{Listed, Style};
use super::support::server::{Fault, Resource, Site, Times};
use super::support::site::{Ran, Workplace};
use super::support::wheels::WheelBuilder;

const PAGE: &str = "/simple/demo/";
const JSON: &str = "application/vnd.pypi.simple.v1+json";

/// Plans an installation of `demo` from a site.
fn plan(site: Site) -> Option<(Workplace, Ran)> {
    let place = Workplace::new(site)?;
    let ran = place.run(&["install", "demo", "--dry-run", "--json"]);
    Some((place, ran))
}

/// Asserts the error that a page of these bytes ends in.
#[track_caller]
fn refused(page: Resource, code: &str, part: &str) -> Option<Workplace> {
    let (place, ran) = plan(Site::new().resource(PAGE, page))?;
    let error = ran.assert_status(20).json();
    let message = error["message"].as_str().unwrap();
    assert_eq!(error["code"], code, "{error:#}");
    assert!(message.contains(place.server.url(PAGE).as_str()) && message.contains(part), "{message}");
    Some(place)
}

/// Versions of `demo`, each with this METADATA beside its wheel.
fn versions(metadata: &[(&str, String)]) -> Site {
    let mut site = Site::new();
    let mut files = Vec::new();
    for (version, text) in metadata {
        let wheel = WheelBuilder::new("demo", version).build();
        let path = format!("/files/{}", wheel.file_name);
        let core_metadata = Some(Sha256::of(text.as_bytes()));
        files.push(Listed { core_metadata, ..Listed::new(&wheel.file_name, &path, &wheel.bytes) });
        site = site.file(&path, wheel.bytes).file(&format!("{path}.metadata"), text.clone().into_bytes());
    }
    site.simple_page(PAGE, &files, Style::Json)
}

fn metadata<'a>(version: &'a str, rest: &str) -> (&'a str, String) {
    (version, format!("Metadata-Version: 2.1\nName: demo\nVersion: {version}\n{rest}\n"))
}

/// Asserts that version 1 is planned, and that version 2 was passed over for this reason.
#[track_caller]
fn passed_over(second: (&str, String), part: &str) {
    let Some((place, ran)) = plan(versions(&[metadata("1.0", ""), second.clone()])) else { return };
    let planned = ran.assert_status(0).json();
    assert_eq!(version(&planned), "1.0");
    let url = place.server.url("/files/demo-2.0-py3-none-any.whl");
    let warnings = planned["warnings"].to_string();
    for expected in ["demo 2.0 was passed over", url.as_str(), part] {
        assert!(warnings.contains(expected), "`{expected}` is not in {warnings}");
    }
    // Where there is no other version, that is no solution, and the same is said.
    let Some((place, ran)) = plan(versions(&[second])) else { return };
    let error = ran.assert_status(10).json();
    let url = place.server.url("/files/demo-2.0-py3-none-any.whl");
    assert!(error["explanation"].to_string().contains(url.as_str()), "{error:#}");
}

fn version(plan: &Value) -> &str {
    plan["steps"][0]["version"].as_str().unwrap()
}

fn links(count: usize) -> Resource {
    let mut page = String::new();
    for number in 0..count {
        let _ = writeln!(page, "<a href='/files/demo-1.{number}-py3-none-any.whl'>demo</a>");
    }
    Resource::new(page.into_bytes(), "text/html")
}

#[test]
fn a_page_of_100_000_links_is_read_and_one_more_is_refused() {
    let wheel = WheelBuilder::new("demo", "1.99999").build();
    let site = Site::new().resource(PAGE, links(100_000)).file(&format!("/files/{}", wheel.file_name), wheel.bytes);
    let Some((_, ran)) = plan(site) else { return };
    assert_eq!(version(&ran.assert_status(0).json()), "1.99999");
    refused(links(100_001), "index.bad-page", "more than 100000 links");
}

#[test]
fn a_page_of_100_megabytes_is_refused_by_its_size() {
    let page = vec![b' '; 100_000_000];
    let Some(place) = refused(Resource::new(page.clone(), "text/html"), "http.too-large", "67108864 bytes") else {
        return;
    };
    assert!(place.server.bytes_sent() < 20_000_000, "{} bytes were sent", place.server.bytes_sent());
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(&page).unwrap();
    let bomb = Resource::new(Vec::new(), "text/html").gzip(zipped.finish().unwrap());
    refused(bomb, "http.too-large", "67108864 bytes");
}

#[test]
fn pages_that_go_in_circles_are_refused() {
    let site = Site::new().fault(PAGE, Fault::redirect(302, PAGE), Times::Always);
    let Some((place, ran)) = plan(site) else { return };
    let error = ran.assert_status(20).json();
    assert_eq!(error["code"], "http.redirect");
    assert!(error["message"].as_str().unwrap().contains(place.server.url(PAGE).as_str()), "{error:#}");
    assert!(place.server.requests().len() <= 11, "{} requests", place.server.requests().len());
}

#[test]
fn deep_json_is_an_error_or_an_entry_to_pass_over() {
    let open = format!("{{\"files\": {}", "[".repeat(1_000_000));
    refused(Resource::new(open.into_bytes(), JSON), "index.bad-page", "EOF");
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let closed = format!("{{\"name\": {deep}, \"files\": [{deep}]}}");
    let Some((place, ran)) = plan(Site::new().resource(PAGE, Resource::new(closed.into_bytes(), JSON))) else { return };
    let error = ran.assert_status(10).json();
    let explanation = error["explanation"].to_string();
    let index = place.server.url("/simple");
    assert!(explanation.contains(index.as_str()) && explanation.contains("cannot be used"), "{explanation}");
}

#[test]
fn pages_in_other_encodings_are_refused_or_read() {
    let html = "<a href='/files/demo-1.0-py3-none-any.whl'>d</a>";
    let wide: Vec<u8> = html.encode_utf16().flat_map(u16::to_le_bytes).collect();
    refused(Resource::new(wide, "text/html"), "index.bad-page", "UTF-8");
    let wheel = WheelBuilder::new("demo", "1.0").build();
    let latin_1 = [html.as_bytes(), b"<p>caf\xe9</p>"].concat();
    let page = Resource::new(latin_1, "text/html; charset=iso-8859-1");
    let Some((_, ran)) = plan(Site::new().resource(PAGE, page).file("/files/demo-1.0-py3-none-any.whl", wheel.bytes))
    else {
        return;
    };
    assert_eq!(version(&ran.assert_status(0).json()), "1.0");
}

#[test]
fn versions_from_hell_are_passed_over_in_one_warning() {
    let wheel = WheelBuilder::new("demo", "1.0").build();
    let path = format!("/files/{}", wheel.file_name);
    let nines = "9".repeat(300);
    let bad = [&nines, "99999999999999999999", "1.0.bad", "%00", "..", "1+", "1.0%0d%0a", &"1.".repeat(150)];
    let mut page = format!("<a href='{path}'>demo</a><a href='ftp://h/demo-4.0-py3-none-any.whl'>x</a>");
    for version in bad {
        let _ = write!(page, "<a href='/files/demo-{version}-py3-none-any.whl'>demo</a>");
    }
    let page = Resource::new(page.into_bytes(), "text/html");
    let Some((place, ran)) = plan(Site::new().resource(PAGE, page).file(&path, wheel.bytes)) else { return };
    let planned = ran.assert_status(0).json();
    assert_eq!(version(&planned), "1.0");
    let warning = planned["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("9 files of `demo`"), "{warning}");
    assert!(warning.contains(place.server.url("/simple").as_str()), "{warning}");
}

#[test]
fn metadata_of_ten_megabytes_is_passed_over() {
    let (version, text) = metadata("2.0", &"\nA long description.\n".repeat(500_000));
    passed_over((version, text), "larger than 8 MiB");
}

#[test]
fn metadata_that_would_take_all_memory_is_passed_over() {
    let pairs: Vec<String> = (0..40).map(|number| format!("(extra=='a{number}' and extra=='z{number}')")).collect();
    passed_over(metadata("2.0", &format!("Requires-Dist: x; {}", pairs.join(" or "))), "too complex");
    let deep = format!("Requires-Dist: x; {}os_name=='a'{}", "(".repeat(1900), ")".repeat(1900));
    passed_over(metadata("2.0", &deep), "parentheses");
    passed_over(metadata("2.0", &"Requires-Dist: x\n".repeat(20_000)), "more than 10000 requirements");
    passed_over(metadata("2.0", &format!("Requires-Dist: x=={}", "9".repeat(5000))), "longer than 4096 bytes");
}

#[test]
fn metadata_of_another_version_or_hash_is_passed_over() {
    passed_over(("2.0", metadata("3.0", "").1), "says Version `3.0`");
    passed_over(("2.0", "Name: demo\n".to_owned()), "has no `Version` field");
}

#[test]
fn extras_that_require_each_other_are_installed_once() {
    let text = "Provides-Extra: x\nProvides-Extra: y\nRequires-Dist: demo[y]; extra == 'x'\nRequires-Dist: demo[x]; extra == 'y'\nRequires-Dist: demo";
    let Some(place) = Workplace::new(versions(&[metadata("1.0", text)])) else { return };
    let planned = place.run(&["install", "demo[x]", "--dry-run", "--json"]).assert_status(0).json();
    assert_eq!((version(&planned), planned["steps"].as_array().unwrap().len()), ("1.0", 1));
}

#[test]
fn a_facts_file_that_goes_on_and_on_is_refused() {
    let Some(place) = Workplace::new(Site::new()) else { return };
    let file = place.folder().join("facts.json");
    fs_err::write(&file, "[".repeat(2 << 20)).unwrap();
    let ran = place.run(&["install", "demo", "--dry-run", "--json", "--facts", "facts.json"]);
    let error = ran.assert_status(2).json();
    assert_eq!(error["code"], "usage.facts-file");
    assert!(error["causes"].to_string().contains("larger than 1 MiB"), "{error:#}");
    // As Windows PowerShell writes what a command prints.
    let facts = r#"{"schema":"torchfix.facts/1","os":"linux","arch":"x86_64","python":{"version":"3.12.1"},"gpus":[]}"#;
    let wide: Vec<u8> = format!("\u{feff}{facts}\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs_err::write(&file, wide).unwrap();
    place.run(&["install", "demo", "--dry-run", "--json", "--facts", "facts.json"]).assert_status(10);
}
