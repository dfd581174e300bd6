//! Why a wheel did not arrive.

use std::io;
use std::path::PathBuf;

use crate::http::HttpError;
use crate::vocab::{Diagnostic, ExitStatus};

/// A download that failed, after the retries it was worth.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The code and exit status of the HTTP error.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Code `fetch.broken`, exit 20: the body ended or stalled early, again and again.
    #[error("`{url}` broke off at byte {at}, {attempts} times in a row")]
    Broken {
        /// What was being fetched, without credentials.
        url: String,
        /// How far it came.
        at: u64,
        /// How often it was tried from there.
        attempts: u32,
        /// The last failure.
        #[source]
        source: io::Error,
    },
    /// Code `fetch.changed`, exit 20: the file on the server is no longer the one that was begun.
    #[error("`{url}` changed on the server while it was fetched")]
    Changed {
        /// What was being fetched, without credentials.
        url: String,
    },
    /// Code `fetch.too-large`, exit 24: the directory would need more memory than a wheel may take.
    #[error("the archive's directory in `{url}` begins {bytes} bytes before its end, more than torchfix accepts")]
    TailTooLarge {
        /// What was being fetched, without credentials.
        url: String,
        /// How far before the end.
        bytes: u64,
    },
    /// Code `fetch.spool`, exit 30: the file that a download is kept in cannot be written or read.
    #[error("cannot keep the download in `{}`", path.display())]
    Spool {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Code `fetch.interrupted`, exit 130: what has arrived is kept.
    #[error("interrupted")]
    Interrupted,
}

impl Diagnostic for FetchError {
    fn code(&self) -> &'static str {
        match self {
            Self::Http(error) => error.code(),
            Self::Broken { .. } => "fetch.broken",
            Self::Changed { .. } => "fetch.changed",
            Self::TailTooLarge { .. } => "fetch.too-large",
            Self::Spool { .. } => "fetch.spool",
            Self::Interrupted => "fetch.interrupted",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Http(error) => error.exit_status(),
            Self::Broken { .. } | Self::Changed { .. } => ExitStatus::Network,
            Self::TailTooLarge { .. } => ExitStatus::Refused,
            Self::Spool { .. } => ExitStatus::FileSystem,
            Self::Interrupted => ExitStatus::Interrupted,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Http(error) => error.hints(),
            Self::Broken { .. } | Self::Changed { .. } | Self::Interrupted => {
                vec!["run the same command again: it goes on where it stopped".to_owned()]
            }
            Self::Spool { .. } => vec!["name a folder with more room with `--cache-dir`".to_owned()],
            Self::TailTooLarge { .. } => Vec::new(),
        }
    }
}
