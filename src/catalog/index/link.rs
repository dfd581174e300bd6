//! From a page's links to its artifacts, whatever the page was written in.

use std::collections::HashSet;

use super::PageFault;
use crate::catalog::{Artifact, Index, MetadataFile, Page, SkipReason, Skipped};
use crate::vocab::{Sha256, Url, VersionSpecifiers, WheelName};

/// The most links that a page may have; the largest real page has a tenth of it.
pub(super) const MOST_LINKS: usize = 100_000;

/// The longest URL of a link. Each link is kept with all of its URL, and a page may state the base of all its links once:
/// without a limit a page of 64 MiB could ask for a hundred thousand times as much.
pub(super) const LONGEST_URL: usize = 8 << 10;

/// The most that is kept of a name or a time.
const LONGEST_TEXT: usize = 200;

/// The longest `Requires-Python`, and the most specifiers in it: 3 bytes of text become 70 in memory.
const LONGEST_PYTHON: usize = 512;
const MOST_SPECIFIERS: usize = 32;

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
        self.count()?;
        let Some(file_name) = link.file_name.clone().or_else(|| file_name(&link.url)) else { return Ok(()) };
        match self.judge(&file_name, &link) {
            Verdict::Wheel(wheel) => {
                if self.seen.insert(file_name) {
                    self.page.artifacts.push(artifact(wheel, link, self.index.clone()));
                }
            }
            Verdict::Skipped(reason) => self.skipped(&file_name, reason),
            Verdict::Nothing => {}
        }
        Ok(())
    }

    /// Takes note of something that is no link and should have been one.
    pub(super) fn skip(&mut self, what: &str, reason: SkipReason) -> Result<(), PageFault> {
        self.count()?;
        self.skipped(what, reason);
        Ok(())
    }

    fn count(&mut self) -> Result<(), PageFault> {
        self.links += 1;
        if self.links > MOST_LINKS { Err(PageFault::TooManyLinks) } else { Ok(()) }
    }

    fn skipped(&mut self, file_name: &str, reason: SkipReason) {
        self.page.skipped.push(Skipped { file_name: shortened(file_name), reason });
    }

    fn judge(&self, file_name: &str, link: &Link) -> Verdict {
        let extension = file_name.rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension.to_ascii_lowercase().as_str() {
            "whl" => {}
            "gz" | "zip" | "bz2" | "xz" | "tgz" | "tar" => return Verdict::Skipped(SkipReason::Source),
            "egg" | "exe" | "msi" | "rpm" | "dmg" => return Verdict::Skipped(SkipReason::OldFormat),
            _ => return Verdict::Nothing,
        }
        // A page from the network has no business with this machine's files.
        let local = link.url.scheme() == "file" && self.index.url.scheme() == "file";
        if !local && !matches!(link.url.scheme(), "http" | "https") {
            return Verdict::Skipped(SkipReason::BadLink);
        }
        match file_name.parse() {
            Ok(wheel) => Verdict::Wheel(wheel),
            Err(error) => Verdict::Skipped(SkipReason::BadName(error)),
        }
    }
}

enum Verdict {
    Wheel(WheelName),
    Skipped(SkipReason),
    /// A link that is no release: navigation, signatures.
    Nothing,
}

/// The URL of a link on a page at `base`; `None` where there is none, or none of a sensible length.
pub(super) fn joined(base: &Url, href: &str) -> Option<Url> {
    let href = href.trim();
    // Before it is joined: the base alone may be most of the page.
    let short = |length: usize| length <= LONGEST_URL;
    if !short(base.as_str().len()) || !short(href.len()) {
        return None;
    }
    base.join(href).ok().filter(|url| short(url.as_str().len()))
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect()
}

/// A specifier that does not parse holds nobody back, as with pip; nor does one that is longer than any real one.
fn python(specifiers: &str) -> Option<VersionSpecifiers> {
    let specifiers = specifiers.trim();
    let plausible = specifiers.len() <= LONGEST_PYTHON && specifiers.matches(',').count() < MOST_SPECIFIERS;
    if plausible { specifiers.parse().ok() } else { None }
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
        requires_python: link.requires_python.as_deref().and_then(python),
        yanked: link.yanked.as_deref().map(shortened),
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
