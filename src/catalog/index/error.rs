//! Why a page or a wheel's metadata cannot be had.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::http::HttpError;
use crate::vocab::{Diagnostic, ExitStatus, MetadataError, Sha256, WheelName};
use crate::zip::ZipError;

/// A page or metadata that cannot be had, or is not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IndexError {
    /// The code and exit status of the request's own error (`http.…`).
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Code `index.bad-page`, exit 20.
    #[error("`{url}` is no index page: {fault}")]
    BadPage {
        /// The page.
        url: String,
        /// What is wrong with it.
        fault: PageFault,
    },
    /// Code `index.too-much`, exit 20.
    #[error("`{url}` is one page or file too many: the indexes list more than any installation needs")]
    TooMuch {
        /// What was read when it became too much.
        url: String,
    },
    /// Code `index.folder`, exit 30.
    #[error("cannot list the folder `{}`", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// Code `index.no-ranges`, exit 20.
    #[error(
        "`{url}` offers no metadata of its wheel: it serves no byte ranges, and the wheel is too large to be read for it"
    )]
    NoRanges {
        /// The wheel.
        url: String,
    },
    /// Code `index.file-changed`, exit 20.
    #[error("`{url}` changed while its metadata was read")]
    FileChanged {
        /// The wheel.
        url: String,
    },
    /// Code `index.metadata-hash`, exit 24.
    #[error("the metadata at `{url}` has sha256 {actual}, its index says {expected}")]
    MetadataHash {
        /// The metadata file.
        url: String,
        /// What the page says.
        expected: Sha256,
        /// What it is.
        actual: Sha256,
    },
    /// Code `index.metadata-mismatch`, exit 24.
    #[error("the metadata at `{url}` is not that of `{wheel}`: it says {field} `{found}`")]
    MetadataMismatch {
        /// Where the wheel lies.
        url: String,
        /// The wheel.
        wheel: Box<WheelName>,
        /// `Name` or `Version`.
        field: &'static str,
        /// What stands there.
        found: String,
    },
    /// Code `index.bad-metadata`, exit 24.
    #[error("`{url}` cannot be used")]
    BadMetadata {
        /// The wheel.
        url: String,
        /// What is wrong.
        source: MetadataError,
    },
    /// Code `index.no-metadata`, exit 24.
    #[error("`{url}` has no METADATA that can be read: {reason}")]
    NoMetadata {
        /// The wheel.
        url: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Code of the archive's own error (`zip.…`), exit 24.
    #[error("`{url}` cannot be used")]
    BadArchive {
        /// The wheel.
        url: String,
        /// What is wrong.
        source: ZipError,
    },
}

/// What is wrong with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageFault {
    /// Its version of the simple API is one that came after this program.
    ApiVersion(String),
    /// It is JSON that says something else.
    Json(String),
    /// It is of another media type.
    MediaType(String),
    /// Its characters have 16 or 32 bits.
    Encoding,
    /// It has more links than any project has files.
    TooManyLinks,
}

impl fmt::Display for PageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PageFault::ApiVersion(version) => write!(f, "it is of version {version} of the simple API, and 1 is known"),
            PageFault::Json(reason) => f.write_str(reason),
            PageFault::MediaType(media_type) => write!(f, "it is `{media_type}`"),
            PageFault::Encoding => f.write_str("it is neither UTF-8 nor any encoding that holds ASCII"),
            PageFault::TooManyLinks => write!(f, "it has more than {} links", super::link::MOST_LINKS),
        }
    }
}

impl IndexError {
    /// Whether the index could not be asked at all, so that nothing is known of what it has.
    pub fn is_unreachable(&self) -> bool {
        match self {
            IndexError::Http(error) => error.is_unreachable() || matches!(error, HttpError::Offline { .. }),
            _ => false,
        }
    }
}

impl Diagnostic for IndexError {
    fn code(&self) -> &'static str {
        match self {
            IndexError::Http(error) => error.code(),
            IndexError::BadPage { .. } => "index.bad-page",
            IndexError::TooMuch { .. } => "index.too-much",
            IndexError::Folder { .. } => "index.folder",
            IndexError::NoRanges { .. } => "index.no-ranges",
            IndexError::FileChanged { .. } => "index.file-changed",
            IndexError::MetadataHash { .. } => "index.metadata-hash",
            IndexError::MetadataMismatch { .. } => "index.metadata-mismatch",
            IndexError::BadMetadata { .. } => "index.bad-metadata",
            IndexError::NoMetadata { .. } => "index.no-metadata",
            IndexError::BadArchive { source, .. } => source.code(),
        }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            IndexError::Http(error) => error.exit_status(),
            IndexError::Folder { .. } => ExitStatus::FileSystem,
            IndexError::BadPage { .. }
            | IndexError::TooMuch { .. }
            | IndexError::NoRanges { .. }
            | IndexError::FileChanged { .. } => ExitStatus::Network,
            _ => ExitStatus::Refused,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            IndexError::Http(error) => error.hints(),
            IndexError::BadPage { .. } => {
                vec!["an index URL ends before the project's name: `https://pypi.org/simple`".to_owned()]
            }
            IndexError::FileChanged { .. } => vec!["run the same command again".to_owned()],
            IndexError::NoRanges { .. } => {
                vec!["use an index that serves metadata files (PEP 658) or byte ranges".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}
