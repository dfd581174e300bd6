//! One function a parser, from any bytes: they never panic, and what comes out is bounded by what went in.
//!
//! `cargo fuzz` calls the same functions, from `resolver-tests/fuzz/`.

use torchfix::catalog::index::read_page;
use torchfix::catalog::{Index, IndexKind, Page};
use torchfix::machine::Machine;
use torchfix::pe::{Export, MOST_NAME_BYTES, PeImage, Symbol};
use torchfix::vocab::{CoreMetadata, RecordRows, WheelName};

/// What takes any bytes.
type Target = fn(&[u8]);

/// Every target.
#[allow(dead_code, reason = "each fuzz target calls its own")]
pub const TARGETS: [Target; 7] = [page_html, page_json, metadata, wheel_name, record, facts, pe];

/// A page of links.
pub fn page_html(bytes: &[u8]) {
    page(bytes, "text/html");
}

/// A page in JSON.
pub fn page_json(bytes: &[u8]) {
    page(bytes, "application/vnd.pypi.simple.v1+json");
}

fn page(bytes: &[u8], content_type: &str) {
    let index = Index { url: "https://index.example/simple/demo/".parse().unwrap(), kind: IndexKind::Simple };
    let Ok(Page { artifacts, skipped }) = read_page(bytes, Some(content_type), &index.url, &index) else { return };
    // The shortest entry, in HTML: `<a href=.whl>`; in JSON: `0,`.
    assert!(artifacts.len() + skipped.len() <= bytes.len() / 2 + 1);
    for artifact in &artifacts {
        assert!(artifact.url.as_str().len() <= 8 << 10 && artifact.file_name.as_str().len() <= 255);
        assert!(matches!(artifact.url.scheme(), "http" | "https"), "{artifact:?}");
        assert_eq!(artifact.file_name.to_string().parse(), Ok(artifact.file_name.clone()));
    }
    for skipped in &skipped {
        let text = skipped.to_string();
        assert!(text.len() <= 2000 && !text.contains(char::is_control), "{text:?}");
    }
}

/// A METADATA file.
pub fn metadata(bytes: &[u8]) {
    match CoreMetadata::parse(bytes) {
        Ok(metadata) => {
            let lines = bytes.split(|byte| *byte == b'\n').count();
            assert!(metadata.requires_dist.len() + metadata.provides_extra.len() <= lines);
            assert!(metadata.weight <= 1 << 17);
            for requirement in &metadata.requires_dist {
                let _ = requirement.to_string();
            }
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() <= 2000 && !text.contains(char::is_control), "{text:?}");
        }
    }
}

/// The file name of a wheel.
pub fn wheel_name(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match text.parse::<WheelName>() {
        Ok(name) => {
            assert_eq!(name.to_string(), text);
            assert!(name.tags().count() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic()));
        }
        Err(error) => assert!(error.to_string().len() <= 1000),
    }
}

/// A RECORD file.
pub fn record(bytes: &[u8]) {
    let Ok(rows) = RecordRows::of(bytes) else { return };
    let mut length = 0;
    for row in rows {
        let Ok(row) = row else { break };
        length += row.fields.iter().map(String::len).sum::<usize>() + 1;
    }
    assert!(length <= bytes.len() + 1);
}

/// A facts file.
pub fn facts(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Err(error) = Machine::read_facts(text) {
        assert!(error.to_string().len() <= 2000, "{error}");
    }
}

/// A DLL. Its names may lie over each other, so that there are more of them than of bytes, within limits.
pub fn pe(bytes: &[u8]) {
    let Ok(image) = PeImage::read(bytes) else { return };
    let symbols = || image.imports.iter().chain(&image.delayed).flat_map(|library| &library.symbols);
    assert!(symbols().count() <= 1 << 18);
    let length = |symbol: &Symbol| if let Symbol::Name(name) = symbol { name.len() } else { 0 };
    assert!(symbols().map(length).sum::<usize>() <= MOST_NAME_BYTES);
    assert!(image.exports.iter().map(|export: Export| export.name_bytes()).sum::<usize>() <= MOST_NAME_BYTES);
}
