//! A page's bytes, taken for what they are: HTML or JSON, in an encoding that can be read.

use super::{PageFault, html, json};
use crate::catalog::{Index, Page};
use crate::vocab::Url;

/// Reads a page of `index` that came from `url`, as a server sent it; asks nothing.
///
/// The media type decides how; where it says nothing of use, the first character does.
pub fn read_page(bytes: &[u8], content_type: Option<&str>, url: &Url, index: &Index) -> Result<Page, PageFault> {
    let header = content_type.unwrap_or_default().to_ascii_lowercase();
    let (media_type, parameters) = header.split_once(';').unwrap_or((header.as_str(), ""));
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // Every other encoding in use has ASCII where a page's tags, names and URLs are; what else it has is replaced.
    if is_wide(bytes) || parameters.contains("utf-16") || parameters.contains("utf-32") {
        return Err(PageFault::Encoding);
    }
    let is_json = match media_type.trim() {
        "application/vnd.pypi.simple.v1+json" | "application/vnd.pypi.simple.latest+json" | "application/json" => true,
        "application/vnd.pypi.simple.v1+html" | "text/html" | "application/xhtml+xml" => false,
        "" | "text/plain" | "application/octet-stream" => {
            bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
        }
        other => return Err(PageFault::MediaType(other.chars().take(80).collect())),
    };
    let parse = if is_json { json::parse } else { html::parse };
    parse(bytes, url, index)
}

/// Whether the text begins as one of 16 or 32 bits a character does.
fn is_wide(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.iter().take(2).any(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::IndexKind;

    fn page(bytes: &[u8], content_type: &str) -> Result<Page, PageFault> {
        let index = Index { url: "https://index.example/simple".parse().unwrap(), kind: IndexKind::Simple };
        read_page(bytes, Some(content_type), &index.url, &index)
    }

    const HTML: &str = "<a href='a-1.0-py3-none-any.whl'>a</a>";

    #[test]
    fn wide_characters_are_refused_and_marks_of_utf_8_are_not() {
        let wide = |mark: bool, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let mark = mark.then_some('\u{feff}');
            let text: String = mark.into_iter().chain(HTML.chars()).collect();
            text.encode_utf16().flat_map(bytes).collect()
        };
        for bytes in [wide(true, u16::to_le_bytes), wide(true, u16::to_be_bytes), wide(false, u16::to_le_bytes)] {
            assert_eq!(page(&bytes, "text/html"), Err(PageFault::Encoding));
        }
        assert_eq!(page(HTML.as_bytes(), "text/html; charset=UTF-16"), Err(PageFault::Encoding));
        let marked = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
        assert_eq!(page(&marked(HTML), "text/html; charset=utf-8").unwrap().artifacts.len(), 1);
        let json = r#"{"files": [{"filename": "a-1.0-py3-none-any.whl", "url": "x"}]}"#;
        for content_type in ["application/json", "text/plain"] {
            assert_eq!(page(&marked(json), content_type).unwrap().artifacts.len(), 1);
        }
        assert!(matches!(page(HTML.as_bytes(), "image/png; x=y"), Err(PageFault::MediaType(_))));
    }
}
