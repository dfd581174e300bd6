//! Index pages as servers write them.

use torchfix::vocab::Sha256;

use super::server::{Resource, Site};

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// PEP 503, as PyPI writes it.
    Html,
    /// PEP 691.
    Json,
    /// HTML as the PyTorch index writes it: no head, links relative to the root or to its second host, `+` escaped, no
    /// `Requires-Python`, nothing yanked, a comment at the end.
    Pytorch,
}

/// A file on a page.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// Its name.
    pub file_name: String,
    /// Where it is linked to; as it shall stand in the page.
    pub href: String,
    /// Its hash.
    pub sha256: Option<Sha256>,
    /// Its size; only JSON says it.
    pub size: Option<u64>,
    /// Its `Requires-Python`.
    pub requires_python: Option<String>,
    /// Why it was yanked.
    pub yanked: Option<String>,
    /// The hash of the metadata file beside it, where there is one.
    pub core_metadata: Option<Sha256>,
    /// When it was uploaded; PyPI's HTML does not say it.
    pub upload_time: Option<String>,
}

impl Listed {
    /// A file of this name and content that lies at `href`.
    pub fn new(file_name: &str, href: &str, bytes: &[u8]) -> Self {
        Self {
            file_name: file_name.to_owned(),
            href: href.to_owned(),
            sha256: Some(Sha256::of(bytes)),
            size: Some(bytes.len() as u64),
            ..Self::default()
        }
    }
}

impl Site {
    /// Serves a project page at `path` (`/simple/torch/`).
    pub fn simple_page(self, path: &str, files: &[Listed], style: Style) -> Self {
        let content_type = match style {
            Style::Html | Style::Pytorch => "text/html",
            Style::Json => "application/vnd.pypi.simple.v1+json",
        };
        self.resource(path, Resource::new(page(path, files, style).into_bytes(), content_type))
    }
}

/// The text of a page.
pub fn page(path: &str, files: &[Listed], style: Style) -> String {
    let project = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match style {
        Style::Html => html(project, files),
        Style::Json => json(project, files),
        Style::Pytorch => pytorch(project, files),
    }
}

fn html(project: &str, files: &[Listed]) -> String {
    let mut text = format!(
        "<!DOCTYPE html>\n<html>\n  <head>\n    <meta name=\"pypi:repository-version\" content=\"1.3\">\n    \
         <title>Links for {project}</title>\n  </head>\n  <body>\n    <h1>Links for {project}</h1>\n"
    );
    for file in files {
        text.push_str(&format!("<a href=\"{}{}\"", file.href, fragment(file)));
        if let Some(specifiers) = &file.requires_python {
            let escaped = specifiers.replace('>', "&gt;").replace('<', "&lt;");
            text.push_str(&format!(" data-requires-python=\"{escaped}\""));
        }
        if let Some(reason) = &file.yanked {
            text.push_str(&format!(" data-yanked=\"{reason}\""));
        }
        if let Some(hash) = file.core_metadata {
            text.push_str(&format!(" data-dist-info-metadata=\"sha256={hash}\" data-core-metadata=\"sha256={hash}\""));
        }
        text.push_str(&format!(" >{}</a><br />\n", file.file_name));
    }
    text + "</body>\n</html>\n<!--SERIAL 1234-->"
}

fn pytorch(project: &str, files: &[Listed]) -> String {
    let mut lines = vec!["<!DOCTYPE html>".to_owned(), "<html>".into(), "  <body>".into()];
    lines.push(format!("    <h1>Links for {project}</h1>"));
    for file in files {
        let metadata = file.core_metadata.map_or_else(String::new, |hash| {
            format!(" data-dist-info-metadata=\"sha256={hash}\" data-core-metadata=\"sha256={hash}\"")
        });
        let time = file.upload_time.as_ref().map_or_else(String::new, |time| format!(" data-upload-time=\"{time}\""));
        let href = file.href.replace('+', "%2B");
        lines.push(format!("    <a href=\"{href}{}\"{metadata}{time}>{}</a><br/>", fragment(file), file.file_name));
    }
    lines.extend(["  </body>".to_owned(), "</html>".into(), "<!--TIMESTAMP 1755800000-->".into()]);
    lines.join("\n")
}

fn json(project: &str, files: &[Listed]) -> String {
    let files: Vec<_> = files
        .iter()
        .map(|file| {
            let mut entry = serde_json::json!({
                "filename": file.file_name,
                "url": file.href,
                "hashes": file.sha256.map_or_else(|| serde_json::json!({}), |hash| serde_json::json!({"sha256": hash})),
                "requires-python": file.requires_python,
                "core-metadata": file.core_metadata.map_or(serde_json::json!(false), |hash| serde_json::json!({"sha256": hash})),
                "yanked": file.yanked.as_ref().map_or(serde_json::json!(false), |reason| serde_json::json!(reason)),
            });
            if let Some(size) = file.size {
                entry["size"] = size.into();
            }
            if let Some(time) = &file.upload_time {
                entry["upload-time"] = time.as_str().into();
            }
            entry
        })
        .collect();
    let versions: Vec<String> = Vec::new();
    serde_json::json!({"meta": {"api-version": "1.1"}, "name": project, "versions": versions, "files": files})
        .to_string()
}

fn fragment(file: &Listed) -> String {
    file.sha256.map_or_else(String::new, |hash| format!("#sha256={hash}"))
}
