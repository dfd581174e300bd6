//! Why there is no interpreter to work with.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::vocab::{Diagnostic, ExitStatus};

/// An interpreter that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// Code `python.request`, exit 2.
    #[error("`{text}` names no Python; write a path, `3.12`, or `python3.12`")]
    Request {
        /// What was typed.
        text: String,
    },
    /// Code `python.not-found`, exit 40.
    #[error("no {wanted} was found")]
    NotFound {
        /// What was looked for: `Python 3.12`.
        wanted: String,
        /// What was looked at, and why it did not do.
        tried: Vec<Tried>,
        /// The command that gets one on this system.
        remedy: String,
    },
    /// Code `python.no-such-file`, exit 40.
    #[error("there is no Python at `{}`", .path.display())]
    NoSuchFile {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Code `python.does-not-run`, exit 40.
    #[error("`{}` does not run as a Python: {reason}", .path.display())]
    DoesNotRun {
        /// The file.
        path: PathBuf,
        /// What came instead of an answer, in one line.
        reason: String,
    },
    /// Code `python.unsupported`, exit 40.
    #[error("`{}` is Python {version}, and torchfix needs 3.8 or newer", .path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is.
        version: String,
    },
    /// Code `python.wrong-version`, exit 40.
    #[error("`{}` is Python {found}, not {wanted}", .path.display())]
    WrongVersion {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What was asked for.
        wanted: String,
    },
}

/// A candidate that was looked at in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The file.
    pub path: PathBuf,
    /// Why it did not do.
    pub why: String,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path.display(), self.why)
    }
}

impl PythonError {
    /// The same as a reason beside the path.
    pub(super) fn into_tried(self, path: &Path) -> Tried {
        let why = match self {
            Self::DoesNotRun { reason, .. } => format!("it does not run: {reason}"),
            Self::Unsupported { version, .. } => format!("it is Python {version}"),
            Self::WrongVersion { found, .. } => format!("it is Python {found}"),
            other => other.to_string(),
        };
        Tried { path: path.to_owned(), why }
    }
}

impl Diagnostic for PythonError {
    fn code(&self) -> &'static str {
        match self {
            Self::Request { .. } => "python.request",
            Self::NotFound { .. } => "python.not-found",
            Self::NoSuchFile { .. } => "python.no-such-file",
            Self::DoesNotRun { .. } => "python.does-not-run",
            Self::Unsupported { .. } => "python.unsupported",
            Self::WrongVersion { .. } => "python.wrong-version",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Request { .. } => ExitStatus::Usage,
            _ => ExitStatus::Environment,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::NotFound { remedy, .. } => {
                vec![format!("get one with `{remedy}`"), "or name one with `--python PATH`".to_owned()]
            }
            Self::NoSuchFile { .. }
            | Self::DoesNotRun { .. }
            | Self::Unsupported { .. }
            | Self::WrongVersion { .. } => {
                vec!["name another with `--python PATH`".to_owned()]
            }
            Self::Request { .. } => Vec::new(),
        }
    }

    fn explanation(&self) -> Vec<String> {
        match self {
            Self::NotFound { tried, .. } => tried.iter().map(Tried::to_string).collect(),
            _ => Vec::new(),
        }
    }
}
