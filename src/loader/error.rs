//! What keeps the check itself from running; what the check finds is a report, not an error.

use std::io;
use std::path::PathBuf;

use crate::vocab::{Diagnostic, ExitStatus};

/// Why torch could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum LoaderError {
    /// Code `loader.python-not-started`, exit 40.
    #[error("the interpreter `{}` could not be started for the check", python.display())]
    PythonNotStarted {
        /// The environment's interpreter.
        python: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Code `loader.child-lost`, exit 30.
    #[error("the check's Python process could not be watched")]
    ChildLost {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Code `loader.unreadable`, exit 30.
    #[error("a folder of libraries could not be listed")]
    Unreadable {
        /// Why; it names the path.
        #[source]
        source: io::Error,
    },
}

impl Diagnostic for LoaderError {
    fn code(&self) -> &'static str {
        match self {
            Self::PythonNotStarted { .. } => "loader.python-not-started",
            Self::ChildLost { .. } => "loader.child-lost",
            Self::Unreadable { .. } => "loader.unreadable",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            Self::PythonNotStarted { .. } => ExitStatus::Environment,
            Self::ChildLost { .. } | Self::Unreadable { .. } => ExitStatus::FileSystem,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::PythonNotStarted { .. } => {
                vec![
                    "name the environment with `--venv DIR`, or make a new one from another Python with `--python PY`"
                        .to_owned(),
                ]
            }
            Self::ChildLost { .. } => vec!["`--check static` judges the libraries without running anything".to_owned()],
            Self::Unreadable { .. } => Vec::new(),
        }
    }
}
