//! Every parser that input from outside reaches, with input made to break it.

use std::fmt::Write as _;

use proptest::prelude::*;
use torchfix::catalog::index::{PageFault, read_page};
use torchfix::catalog::{Index, IndexKind, Page};
use torchfix::machine::Machine;
use torchfix::vocab::{CoreMetadata, MetadataError};

use super::allocations::peak;
use super::targets::TARGETS;

const MIB: usize = 1 << 20;

fn read(text: &str, content_type: &str) -> Result<Page, PageFault> {
    let index = Index { url: "https://index.example/simple/demo/".parse().unwrap(), kind: IndexKind::Simple };
    read_page(text.as_bytes(), Some(content_type), &index.url, &index)
}

const JSON: &str = "application/vnd.pypi.simple.v1+json";

#[test]
fn a_page_of_100_000_links_takes_a_kilobyte_each() {
    let mut html = String::new();
    let mut json = "{\"files\": [".to_owned();
    for number in 0..100_000 {
        let _ = writeln!(html, "<a href='demo-1.{number}-py3-none-any.whl' data-requires-python='&gt;=3.9'>x</a>");
        let _ = write!(json, "{{\"filename\": \"demo-1.{number}-py3-none-any.whl\", \"url\": \"demo-1.{number}\"}},");
    }
    json.truncate(json.len() - 1);
    json += "]}";
    for (text, content_type) in [(&html, "text/html"), (&json, JSON)] {
        let (page, bytes) = peak(|| read(text, content_type));
        assert_eq!(page.unwrap().artifacts.len(), 100_000);
        assert!(bytes < 200 * MIB, "{} MiB for {content_type}", bytes / MIB);
    }
}

#[test]
fn pages_that_blow_up_in_memory_do_not() {
    let repeated = |text: &str, times: usize| text.repeat(times);
    let base = format!("<base href='/{}/'>{}", repeated("b", MIB), repeated("<a href='d-1-py3-none-any.whl'>", 50_000));
    let attributes: String = (0..500_000).fold("<a ".to_owned(), |text, number| text + &format!("a{number} "));
    let pythons = format!("<a href='d-1-py3-none-any.whl' data-requires-python='{}'>", repeated("!=1,", MIB));
    let names: String = (0..50_000)
        .fold(String::new(), |text, number| text + &format!("<a href='d-{number}-{}.p-n-a.whl'>", repeated("a.", 100)));
    for (what, text) in [("a base", base), ("attributes", attributes), ("specifiers", pythons), ("tags", names)] {
        let (_, bytes) = peak(|| read(&text, "text/html"));
        assert!(bytes < 500 * MIB, "{what}: {} MiB for {} MiB", bytes / MIB, text.len() / MIB);
    }
    let (page, bytes) = peak(|| read(&format!("{{\"files\": [{}0]}}", repeated("0,", 8 * MIB)), JSON));
    assert_eq!(page, Err(PageFault::TooManyLinks));
    assert!(bytes < 100 * MIB, "{} MiB", bytes / MIB);
    let deep = format!("{{\"files\": [{}]}}", repeated("{\"a\":[", MIB));
    let (page, bytes) = peak(|| read(&deep, JSON));
    assert!(matches!(page, Err(PageFault::Json(_))) && bytes < 100 * MIB, "{} MiB", bytes / MIB);
}

#[test]
fn metadata_takes_no_more_than_it_weighs() {
    let head = "Name: a\nVersion: 1\n";
    // Eight million bytes each, as the largest file that is read.
    let lines = |line: &str| format!("{head}{}", line.repeat((8 * MIB) / line.len()));
    let fields = lines(":\n");
    let (metadata, bytes) = peak(|| CoreMetadata::parse(fields.as_bytes()));
    assert!(metadata.is_ok() && bytes < MIB, "{bytes}");
    let continued = format!("{head}Summary: a\n{}", " a\n".repeat(2 * MIB));
    let (metadata, bytes) = peak(|| CoreMetadata::parse(continued.as_bytes()));
    assert!(metadata.is_ok() && bytes < MIB, "{bytes}");
    let specifiers = lines(&format!("Requires-Dist: a{}!=1\n", "!=1,".repeat(120)));
    let (metadata, bytes) = peak(|| CoreMetadata::parse(specifiers.as_bytes()));
    assert!(matches!(metadata, Err(MetadataError::TooMuch { .. })), "{metadata:?}");
    assert!(bytes < 100 * MIB, "{} MiB", bytes / MIB);
}

#[test]
fn facts_that_are_absurd_are_errors() {
    let facts = |rest: &str| {
        Machine::read_facts(&format!("{{\"schema\":\"torchfix.facts/1\",\"os\":\"linux\",\"arch\":\"x86_64\",{rest}}}"))
    };
    for rest in [
        format!("\"new\":{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("\"gpus\":[{}{{}}]", "{},".repeat(100_000)),
        "\"gpus\":[{\"index\":99999999999999999999999}]".to_owned(),
        "\"gpus\":[{\"compute_capability\":\"99999999999.1\"}]".to_owned(),
        format!("\"driver\":{{\"version\":\"{}\"}}", "9.".repeat(100_000)),
        format!("\"python\":{{\"version\":\"{}\"}}", "9".repeat(100_000)),
    ] {
        let error = facts(&rest).unwrap_err().to_string();
        assert!(error.len() < 500, "{error}");
    }
}

/// Pieces that mean something to one parser or another.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "<a href=|<base href=|<meta name=|<title>|<!--|-->|>|'|\"|&gt;|&#x[0-9a-f]{0,9};|#sha256=|%2[0-9]|data-yanked|\\.whl",
        "demo-1\\.0-py3-none-any\\.whl|https?://|file:///|//|\\.\\./|[a-z]{1,3}-[0-9.!+a-z]{1,9}-py3-none-any",
        "\\{|\\}|\\[|\\]|:|,|\"files\"|\"meta\"|\"api-version\"|\"filename\"|\"url\"|\"schema\"|\"torchfix\\.facts/1\"|\"gpus\"|null|1e999",
        "Name: |Version: |Requires-Dist: |Requires-Python: |Provides-Extra: |\n|\r\n| |\t|a|demo",
        "[0-9]{1,30}|1!|1\\.|\\.post|\\.dev|rc|\\+|>=|~=|===|!=|\\.\\*|,|\\[|\\]|@ |; |\\(|\\)|and |or |not in |extra|python_version|os_name",
        "%0[0-9a-d]|&#(27|x0a|x7f);|\u{1b}\\[31m|\\PC",
    ];
    let bytes =
        prop_oneof![9 => piece.prop_map(String::into_bytes), 1 => any::<[u8; 2]>().prop_map(|two| two.to_vec())];
    proptest::collection::vec(bytes, 0..120).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]
    #[test]
    fn no_parser_panics_or_makes_much_of_little(bytes in soup()) {
        for target in TARGETS {
            target(&bytes);
        }
    }
}

#[test]
fn no_parser_panics_on_long_runs_of_one_thing() {
    for piece in ["<", "<a ", "&#x", "[", "{\"a\":", "\"", "1.", "9", "1!", "+a.", "(", "a,", "-", "\n ", "\u{0}", "%2"]
    {
        let long = piece.repeat(200_000);
        let wrapped =
            format!("Name: a\nVersion: 1\nRequires-Dist: a {long}\nRequires-Dist: a; {long}\nVersion: {long}");
        let tagged = format!("<a href='{long}' data-requires-python='{long}'>");
        let listed = format!("{{\"files\": [{long}");
        for target in TARGETS {
            for text in [&long, &wrapped, &tagged, &listed] {
                target(text.as_bytes());
            }
        }
    }
}
