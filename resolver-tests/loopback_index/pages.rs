//! The pages of an index: PEP 691 JSON and PEP 503 HTML.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::shelf::{Projects, Wheel};

/// The media type of a page in JSON.
pub const JSON: &str = "application/vnd.pypi.simple.v1+json";
/// The media type of a page in HTML.
pub const HTML: &str = "text/html; charset=utf-8";

/// Whether a client that sends this `Accept` header is given JSON.
pub fn wants_json(accept: Option<&str>) -> bool {
    accept.is_some_and(|accept| accept.contains(JSON) || accept.contains("application/vnd.pypi.simple.latest+json"))
}

/// The list of projects as JSON.
pub fn projects_json(projects: &Projects) -> Vec<u8> {
    let names: Vec<Value> = projects.keys().map(|name| json!({ "name": name })).collect();
    json!({ "meta": { "api-version": "1.1" }, "projects": names }).to_string().into_bytes()
}

/// The list of projects as HTML.
pub fn projects_html(projects: &Projects) -> Vec<u8> {
    let links: Vec<String> = projects.keys().map(|name| format!("<a href=\"{name}/\">{name}</a><br>\n")).collect();
    format!("<!DOCTYPE html>\n<html><body>\n{}</body></html>\n", links.concat()).into_bytes()
}

/// The page of a project as JSON.
pub fn project_json(project: &str, wheels: &[Wheel], with_metadata: bool) -> Vec<u8> {
    let mut versions: Vec<&str> = wheels.iter().filter_map(|wheel| wheel.file_name.split('-').nth(1)).collect();
    versions.sort_unstable();
    versions.dedup();
    let files: Vec<Value> = wheels
        .iter()
        .map(|wheel| {
            let metadata = with_metadata.then(|| json!({ "sha256": wheel.metadata_sha256 })).unwrap_or(json!(false));
            json!({
                "filename": wheel.file_name,
                "url": url(wheel),
                "hashes": { "sha256": wheel.sha256 },
                "requires-python": wheel.requires_python,
                "size": wheel.size,
                "core-metadata": metadata,
                "data-dist-info-metadata": metadata,
                "yanked": false,
            })
        })
        .collect();
    json!({ "meta": { "api-version": "1.1" }, "name": project, "versions": versions, "files": files })
        .to_string()
        .into_bytes()
}

/// The page of a project as HTML.
pub fn project_html(project: &str, wheels: &[Wheel], with_metadata: bool) -> Vec<u8> {
    let mut page = format!("<!DOCTYPE html>\n<html><body>\n<h1>Links for {project}</h1>\n");
    for wheel in wheels {
        let mut attributes = String::new();
        // Writing to a String cannot fail.
        if let Some(requires_python) = &wheel.requires_python {
            let _ = write!(attributes, " data-requires-python=\"{}\"", escaped(requires_python));
        }
        if with_metadata {
            let hash = &wheel.metadata_sha256;
            let _ =
                write!(attributes, " data-dist-info-metadata=\"sha256={hash}\" data-core-metadata=\"sha256={hash}\"");
        }
        let Wheel { file_name, sha256, .. } = wheel;
        let _ = writeln!(page, "<a href=\"{}#sha256={sha256}\"{attributes}>{file_name}</a><br>", url(wheel));
    }
    page.push_str("</body></html>\n");
    page.into_bytes()
}

fn url(wheel: &Wheel) -> String {
    format!("/{}", wheel.url_path.replace('+', "%2B"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use torchfix::vocab::Sha256;

    use super::*;

    fn wheel() -> Wheel {
        Wheel {
            path: PathBuf::new(),
            file_name: "torch-2.9.1+cpu-cp311-cp311-win_amd64.whl".to_owned(),
            url_path: "files/cpu/torch-2.9.1+cpu-cp311-cp311-win_amd64.whl".to_owned(),
            size: 7,
            sha256: Sha256::of(b"wheel"),
            metadata: Vec::new(),
            metadata_sha256: Sha256::of(b""),
            requires_python: Some(">=3.10".to_owned()),
        }
    }

    #[test]
    fn both_pages_say_the_same() {
        let json: Value = serde_json::from_slice(&project_json("torch", &[wheel()], true)).unwrap();
        assert_eq!(json["files"][0]["url"], "/files/cpu/torch-2.9.1%2Bcpu-cp311-cp311-win_amd64.whl");
        assert_eq!(json["files"][0]["core-metadata"]["sha256"], Sha256::of(b"").to_string());
        assert_eq!(json["versions"], json!(["2.9.1+cpu"]));
        let html = String::from_utf8(project_html("torch", &[wheel()], true)).unwrap();
        let href = "href=\"/files/cpu/torch-2.9.1%2Bcpu-cp311-cp311-win_amd64.whl#sha256=";
        assert!(html.contains(&format!("{href}{}\"", Sha256::of(b"wheel"))));
        assert!(
            html.contains("data-requires-python=\"&gt;=3.10\"")
                && html.contains("data-core-metadata=\"sha256=e3b0c442")
        );
    }

    #[test]
    fn metadata_can_be_left_out() {
        let json: Value = serde_json::from_slice(&project_json("torch", &[wheel()], false)).unwrap();
        assert_eq!(json["files"][0]["core-metadata"], json!(false));
        assert!(!String::from_utf8(project_html("torch", &[wheel()], false)).unwrap().contains("metadata"));
    }
}
