//! What an index page lists.

use std::fmt;

use crate::vocab::{Moment, PackageName, ParseWheelNameError, Sha256, Url, VersionSpecifiers, WheelName};

/// A server, or a folder, that lists wheels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Index {
    /// Its root: project pages lie at `<url>/<project>/`; of [`IndexKind::Links`] the page or folder itself.
    pub url: Url,
    /// How it is read.
    pub kind: IndexKind,
}

/// How an index is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IndexKind {
    /// PEP 503 and 691: 404 means "not here".
    Simple,
    /// A directory of the PyTorch index or of a mirror of it: 403 means "not here" as well.
    Pytorch,
    /// A page or a local folder of links to wheels of any project (`--find-links`).
    Links,
}

/// One wheel, as a page lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// Its file name, parsed.
    pub file_name: WheelName,
    /// Where it is fetched, absolute, without the fragment.
    pub url: Url,
    /// The index it was listed on.
    pub index: Index,
    /// What the page says its bytes hash to.
    pub sha256: Option<Sha256>,
    /// Its size in bytes, where the page says.
    pub size: Option<u64>,
    /// `Requires-Python`, where the page says.
    pub requires_python: Option<VersionSpecifiers>,
    /// Why it was yanked; `None` when it was not.
    pub yanked: Option<String>,
    /// Its METADATA as a file of its own (PEP 658), where there is one.
    pub metadata: Option<MetadataFile>,
    /// When it was uploaded, where the page says.
    pub upload_time: Option<Moment>,
}

/// A METADATA file served beside its wheel.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataFile {
    /// Where it is fetched.
    pub url: Url,
    /// What it hashes to; never the wheel's hash.
    pub sha256: Option<Sha256>,
}

/// A project's page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The wheels on it, in the order of the page.
    pub artifacts: Vec<Artifact>,
    /// What else was on it that could have been a release, and why it does not count.
    pub skipped: Vec<Skipped>,
}

/// A file on a page that torchfix does not install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its name as the page gives it.
    pub file_name: String,
    /// Why.
    pub reason: SkipReason,
}

/// Why a file on a page does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// A source distribution.
    Source,
    /// Of a format that came before wheels.
    OldFormat,
    /// A wheel of another project than the page's.
    OtherProject(PackageName),
    /// Named as no wheel is.
    BadName(ParseWheelNameError),
    /// Its link leads nowhere a wheel may come from: another scheme than https and http, or a URL without end.
    BadLink,
    /// An entry of a JSON page that does not say what it must.
    BadEntry,
}

impl SkipReason {
    /// Whether something is wrong with the page, rather than with the wish to install from it.
    pub fn is_fault(&self) -> bool {
        !matches!(self, SkipReason::Source | SkipReason::OldFormat)
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.file_name;
        match &self.reason {
            SkipReason::Source => write!(f, "`{name}` is a source distribution"),
            SkipReason::OldFormat => write!(f, "`{name}` is not a wheel"),
            SkipReason::OtherProject(other) => write!(f, "`{name}` is a wheel of {other}"),
            SkipReason::BadName(error) => error.fmt(f),
            SkipReason::BadLink => write!(f, "the link of `{name}` is none that a wheel can be fetched from"),
            SkipReason::BadEntry => write!(f, "the entry `{name}` is not as the simple API has it"),
        }
    }
}
