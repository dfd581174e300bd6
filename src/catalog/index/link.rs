//! From a page's links to its artifacts, whatever the page was written in.

use std::collections::HashSet;

use super::PageFault;
use crate::catalog::{Artifact, Index, MetadataFile, Page, Skipped};
use crate::vocab::{Sha256, Url, WheelName};

/// The most links that a page may have; the largest real page has a tenth of it.
pub(super) const MOST_LINKS: usize = 100_000;

/// A link to a file, as a page has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Link {
    pub(super) url: Url,
    /// The name, where the page gives it beside the URL.
    pub(super) file_name: Option<String>,
    pub(super) sha256: Option<Sha256>,
    pub(super) size: Option<u64>,
    pub(super) requires_python: Option<String>,
    pub(super) yanked: Option<String>,
    /// Its METADATA, where that lies beside it.
    pub(super) metadata: Option<Beside>,
    pub(super) upload_time: Option<String>,
}

/// A METADATA file beside a wheel; what it hashes to is never what the wheel hashes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Beside {
    pub(super) sha256: Option<Sha256>,
}

impl Link {
    pub(super) fn to(url: Url) -> Self {
        Self {
            url,
            file_name: None,
            sha256: None,
            size: None,
            requires_python: None,
            yanked: None,
            metadata: None,
            upload_time: None,
        }
    }
}

/// Gathers links into a page.
pub(super) struct Gathering<'a> {
    index: &'a Index,
    page: Page,
    seen: HashSet<String>,
    links: usize,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(index: &'a Index) -> Self {
        let page = Page { artifacts: Vec::new(), skipped: Vec::new() };
        Self { index, page, seen: HashSet::new(), links: 0 }
    }

    pub(super) fn finish(self) -> Page {
        self.page
    }

    /// Takes a link in; one that is of no use never spoils the page.
    pub(super) fn add(&mut self, link: Link) -> Result<(), PageFault> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(PageFault::TooManyLinks);
        }
        let Some(file_name) = link.file_name.clone().or_else(|| file_name(&link.url)) else { return Ok(()) };
        match self.judge(&file_name, &link) {
            Verdict::Wheel(wheel) => {
                if self.seen.insert(file_name) {
                    self.page.artifacts.push(artifact(wheel, link, self.index.clone()));
                }
            }
            Verdict::Skipped(reason) => {
                let file_name = file_name.chars().filter(|c| !c.is_control()).take(200).collect();
                self.page.skipped.push(Skipped { file_name, reason });
            }
            Verdict::Nothing => {}
        }
        Ok(())
    }

    fn judge(&self, file_name: &str, link: &Link) -> Verdict {
        let extension = file_name.rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension.to_ascii_lowercase().as_str() {
            "whl" => {}
            "gz" | "zip" | "bz2" | "xz" | "tgz" | "tar" => return Verdict::skipped("a source distribution"),
            "egg" | "exe" | "msi" | "rpm" | "dmg" => return Verdict::skipped("not a wheel"),
            _ => return Verdict::Nothing,
        }
        // A page from the network has no business with this machine's files.
        let local = link.url.scheme() == "file" && self.index.url.scheme() == "file";
        if !local && !matches!(link.url.scheme(), "http" | "https") {
            return Verdict::skipped("its link is neither https nor http");
        }
        match file_name.parse() {
            Ok(wheel) => Verdict::Wheel(wheel),
            Err(error) => Verdict::Skipped(error.to_string()),
        }
    }
}

enum Verdict {
    Wheel(WheelName),
    Skipped(String),
    /// A link that is no release: navigation, signatures.
    Nothing,
}

impl Verdict {
    fn skipped(reason: &str) -> Self {
        Verdict::Skipped(reason.to_owned())
    }
}

fn artifact(file_name: WheelName, link: Link, index: Index) -> Artifact {
    let mut url = link.url;
    url.set_fragment(None);
    let metadata = link.metadata.map(|Beside { sha256 }| {
        let mut url = url.clone();
        url.set_path(&format!("{}.metadata", url.path()));
        MetadataFile { url, sha256 }
    });
    Artifact {
        file_name,
        url,
        index,
        sha256: link.sha256,
        size: link.size,
        // A specifier that does not parse holds nobody back, as with pip.
        requires_python: link.requires_python.and_then(|specifiers| specifiers.trim().parse().ok()),
        yanked: link.yanked,
        metadata,
        // A time that does not parse is none.
        upload_time: link.upload_time.and_then(|time| time.parse().ok()),
    }
}

/// The last segment of a URL's path, percent-decoded once.
fn file_name(url: &Url) -> Option<String> {
    let segment = url.path_segments()?.next_back()?;
    let name = crate::http::percent_decoded(segment);
    (!name.is_empty()).then_some(name)
}

/// `sha256=…` out of a fragment or an attribute; other digests are passed over.
pub(super) fn sha256_in(text: &str) -> Option<Sha256> {
    text.split('&').find_map(|part| part.strip_prefix("sha256=")?.trim().parse().ok())
}
