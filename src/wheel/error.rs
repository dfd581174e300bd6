//! Why a wheel is not in the cache.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::record::RecordError;
use crate::fetch::FetchError;
use crate::vocab::{Diagnostic, ExitStatus, Sha256, WheelName};
use crate::zip::ZipError;

/// A wheel that could not be had, or that is refused.
#[derive(Debug, thiserror::Error)]
pub enum WheelError {
    /// The code and exit status of the download's error.
    #[error("cannot fetch `{artifact}`")]
    Fetch {
        /// The wheel.
        artifact: Box<WheelName>,
        /// Why.
        #[source]
        source: Box<FetchError>,
    },
    /// The code and exit status of the archive's error.
    #[error("`{artifact}` is refused")]
    Zip {
        /// The wheel.
        artifact: Box<WheelName>,
        /// Why.
        #[source]
        source: ZipError,
    },
    /// Code `wheel.damaged`, exit 24: the data of an entry is not what the archive's directory says.
    #[error("`{artifact}` is refused: {reason} in `{entry}`")]
    Damaged {
        /// The wheel.
        artifact: Box<WheelName>,
        /// The entry.
        entry: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Code `wheel.record`, exit 24.
    #[error("`{artifact}` is refused")]
    Record {
        /// The wheel.
        artifact: Box<WheelName>,
        /// Why.
        #[source]
        source: RecordError,
    },
    /// Code `wheel.dist-info`, exit 24.
    #[error("`{artifact}` is refused: {reason}")]
    DistInfo {
        /// The wheel.
        artifact: Box<WheelName>,
        /// What is wrong with its metadata folder.
        reason: String,
    },
    /// Code `fetch.hash-mismatch`, exit 24.
    #[error("`{artifact}` has sha256 {actual}, expected was {expected}{}", SizeNote(*sizes))]
    HashMismatch {
        /// The wheel.
        artifact: Box<WheelName>,
        /// What its bytes should hash to.
        expected: Sha256,
        /// What they hash to.
        actual: Sha256,
        /// The size it should have and the one it has, where they differ.
        sizes: Option<(u64, u64)>,
    },
    /// Code `wheel.disk-full`, exit 30.
    #[error("no room in `{}`{}", path.display(), SpaceNote(*need, *free))]
    DiskFull {
        /// Where there is no room.
        path: PathBuf,
        /// Bytes needed in all, where known.
        need: Option<u64>,
        /// Bytes free, where known.
        free: Option<u64>,
    },
    /// Code `wheel.file`, exit 30.
    #[error("cannot unpack `{artifact}`")]
    File {
        /// The wheel.
        artifact: Box<WheelName>,
        /// Why; it names the file.
        #[source]
        source: io::Error,
    },
    /// The code and exit status of the cache's error.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Code `wheel.inflate`, exit 70: the decompressor does not start.
    #[error("the decompressor does not start")]
    Inflate,
    /// Code `wheel.interrupted`, exit 130: what has arrived is kept.
    #[error("interrupted")]
    Interrupted,
}

/// A cache that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Code `cache.unusable`, exit 30.
    #[error("the cache `{}` cannot be used", path.display())]
    Unusable {
        /// Its folder.
        path: PathBuf,
        /// Why; it names the file.
        #[source]
        source: io::Error,
    },
    /// Code `cache.lock`, exit 30.
    #[error("cannot lock `{}`", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl WheelError {
    /// The error of a file operation of `artifact` under `folder`; a full disk is told from others.
    pub(super) fn file(artifact: &WheelName, folder: &Path, need: Option<u64>, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path: folder.to_owned(), need, free: super::space::free(folder) }
            }
            _ => Self::File { artifact: Box::new(artifact.clone()), source },
        }
    }

    /// The error of a download of `artifact`.
    pub(super) fn fetch(artifact: &WheelName, folder: &Path, source: FetchError) -> Self {
        match source {
            FetchError::Interrupted => Self::Interrupted,
            FetchError::Spool { source, .. } => Self::file(artifact, folder, None, source),
            source => Self::Fetch { artifact: Box::new(artifact.clone()), source: Box::new(source) },
        }
    }

    /// Whether the wheel's bytes are to blame: fetched anew they could be others.
    pub(super) fn is_of_bytes(&self) -> bool {
        match self {
            Self::Zip { .. }
            | Self::Damaged { .. }
            | Self::Record { .. }
            | Self::DistInfo { .. }
            | Self::HashMismatch { .. } => true,
            Self::Fetch { source, .. } => matches!(**source, FetchError::TailTooLarge { .. }),
            Self::DiskFull { .. } | Self::File { .. } | Self::Cache(_) | Self::Inflate | Self::Interrupted => false,
        }
    }
}

impl Diagnostic for WheelError {
    fn code(&self) -> &'static str {
        match self {
            Self::Fetch { source, .. } => source.code(),
            Self::Zip { source, .. } => source.code(),
            Self::Damaged { .. } => "wheel.damaged",
            Self::Record { .. } => "wheel.record",
            Self::DistInfo { .. } => "wheel.dist-info",
            Self::HashMismatch { .. } => "fetch.hash-mismatch",
            Self::DiskFull { .. } => "wheel.disk-full",
            Self::File { .. } => "wheel.file",
            Self::Cache(error) => error.code(),
            Self::Inflate => "wheel.inflate",
            Self::Interrupted => "wheel.interrupted",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Fetch { source, .. } => source.exit_status(),
            Self::Zip { .. }
            | Self::Damaged { .. }
            | Self::Record { .. }
            | Self::DistInfo { .. }
            | Self::HashMismatch { .. } => ExitStatus::Refused,
            Self::DiskFull { .. } | Self::File { .. } => ExitStatus::FileSystem,
            Self::Cache(error) => error.exit_status(),
            Self::Inflate => ExitStatus::Bug,
            Self::Interrupted => ExitStatus::Interrupted,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Fetch { source, .. } => return source.hints(),
            Self::Cache(error) => return error.hints(),
            Self::HashMismatch { .. } => {
                "the file on the server is not the one that was listed or locked: try again, name another index, or make \
                 a new lock"
            }
            Self::Zip { .. } | Self::Damaged { .. } | Self::Record { .. } | Self::DistInfo { .. } => {
                "the wheel itself is at fault: ask for another version, or tell its maintainers"
            }
            Self::DiskFull { .. } => {
                "free some space, run `torchfix cache prune`, or name a folder elsewhere with `--cache-dir`"
            }
            Self::Interrupted => "run the same command again: it goes on where it stopped",
            Self::File { .. } | Self::Inflate => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

impl Diagnostic for CacheError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unusable { .. } => "cache.unusable",
            Self::Lock { .. } => "cache.lock",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        ExitStatus::FileSystem
    }

    fn hints(&self) -> Vec<String> {
        vec!["name a folder that you can write with `--cache-dir`".to_owned()]
    }
}

struct SizeNote(Option<(u64, u64)>);

impl fmt::Display for SizeNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((expected, actual)) if actual < expected => {
                write!(f, " ({} of {expected} bytes are missing)", expected - actual)
            }
            Some((expected, actual)) => write!(f, " ({actual} bytes instead of {expected})"),
            None => Ok(()),
        }
    }
}

struct SpaceNote(Option<u64>, Option<u64>);

impl fmt::Display for SpaceNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self(Some(need), Some(free)) => write!(f, ": {need} bytes are needed, {free} are free"),
            Self(Some(need), None) => write!(f, ": {need} bytes are needed"),
            Self(None, Some(free)) => write!(f, ": {free} bytes are free"),
            Self(None, None) => Ok(()),
        }
    }
}
