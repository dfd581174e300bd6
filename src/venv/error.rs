//! What can be wrong with an environment.

use std::io;
use std::path::PathBuf;

use super::RecordError;
use crate::machine::PythonError;
use crate::vocab::{Diagnostic, ExitStatus, MetadataError};

/// An environment that cannot be found, read, made or written.
#[derive(Debug, thiserror::Error)]
pub enum VenvError {
    /// Code `venv.not-found`, exit 40.
    #[error("no virtual environment is active, and there is no `.venv` in `{searched}` or above it")]
    NotFound {
        /// Where the search began.
        searched: PathBuf,
    },
    /// Code `venv.not-an-environment`, exit 40.
    #[error("`{path}` is not a virtual environment{named_by}")]
    NotAnEnvironment {
        /// The folder or file that is something else.
        path: PathBuf,
        /// ` (named by …)`, or nothing where the path speaks for itself.
        named_by: String,
    },
    /// Code `venv.broken-link`, exit 40.
    #[error("`{path}` is a symbolic link to nothing")]
    BrokenLink {
        /// The link.
        path: PathBuf,
    },
    /// Code `venv.no-python`, exit 40.
    #[error("the environment `{root}` has no Python in it")]
    NoPython {
        /// The environment.
        root: PathBuf,
    },
    /// Code `venv.python`, exit 40.
    #[error("the Python of `{root}` cannot be asked")]
    Python {
        /// The environment.
        root: PathBuf,
        /// Why.
        #[source]
        source: Box<PythonError>,
    },
    /// Code `venv.elsewhere`, exit 40.
    #[error("the Python of `{root}` says it belongs to `{prefix}`")]
    Elsewhere {
        /// The environment.
        root: PathBuf,
        /// The prefix its interpreter reports.
        prefix: PathBuf,
    },
    /// Code `venv.externally-managed`, exit 40.
    #[error("`{root}` is managed by the system and is not changed: {text}")]
    ExternallyManaged {
        /// The installation.
        root: PathBuf,
        /// What its maintainers say (PEP 668).
        text: String,
    },
    /// Code `venv.other-python`, exit 40.
    #[error("the environment `{root}` runs Python {have} of `{base}`, not `{asked}`")]
    OtherPython {
        /// The environment.
        root: PathBuf,
        /// Its Python's version.
        have: String,
        /// Where its Python comes from.
        base: PathBuf,
        /// What was asked for.
        asked: PathBuf,
    },
    /// Code `venv.outside`, exit 40.
    #[error("the environment `{root}` keeps `{path}` outside itself, where nothing is written")]
    Outside {
        /// The environment.
        root: PathBuf,
        /// The folder of its scheme that lies elsewhere.
        path: PathBuf,
    },
    /// Code `venv.not-empty`, exit 40.
    #[error("`{path}` exists and is not an empty folder: no environment is made there")]
    NotEmpty {
        /// The place for the new environment.
        path: PathBuf,
    },
    /// Code `venv.no-redirector`, exit 40.
    #[error("the Python in `{prefix}` cannot make environments: the programs for them are not in `{folder}`")]
    NoRedirector {
        /// That Python's prefix.
        prefix: PathBuf,
        /// Where they belong.
        folder: PathBuf,
    },
    /// Code `venv.not-writable`, exit 30.
    #[error("the environment `{root}` cannot be written")]
    NotWritable {
        /// The environment.
        root: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Code `venv.no-record`, exit 40.
    #[error("`{dist_info}` has no RECORD: which files belong to it is not known")]
    NoRecord {
        /// The distribution's folder.
        dist_info: PathBuf,
    },
    /// Code `venv.record`, exit 40.
    #[error("the RECORD of `{dist_info}` cannot be read")]
    Record {
        /// The distribution's folder.
        dist_info: PathBuf,
        /// Why.
        #[source]
        source: RecordError,
    },
    /// Code `venv.metadata`, exit 40.
    #[error("the metadata of `{dist_info}` cannot be used")]
    Metadata {
        /// The distribution's folder.
        dist_info: PathBuf,
        /// Why.
        #[source]
        source: MetadataError,
    },
    /// Code `venv.too-large`, exit 40.
    #[error("`{path}` has {bytes} bytes: too many for what it should be")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Code `venv.io`, exit 30.
    #[error("the environment cannot be read or made")]
    Io(#[from] io::Error),
}

impl Diagnostic for VenvError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "venv.not-found",
            Self::NotAnEnvironment { .. } => "venv.not-an-environment",
            Self::BrokenLink { .. } => "venv.broken-link",
            Self::NoPython { .. } => "venv.no-python",
            Self::Python { .. } => "venv.python",
            Self::Elsewhere { .. } => "venv.elsewhere",
            Self::ExternallyManaged { .. } => "venv.externally-managed",
            Self::OtherPython { .. } => "venv.other-python",
            Self::Outside { .. } => "venv.outside",
            Self::NotEmpty { .. } => "venv.not-empty",
            Self::NoRedirector { .. } => "venv.no-redirector",
            Self::NotWritable { .. } => "venv.not-writable",
            Self::NoRecord { .. } => "venv.no-record",
            Self::Record { .. } => "venv.record",
            Self::Metadata { .. } => "venv.metadata",
            Self::TooLarge { .. } => "venv.too-large",
            Self::Io(_) => "venv.io",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            Self::NotWritable { .. } | Self::Io(_) => ExitStatus::FileSystem,
            _ => ExitStatus::Environment,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NotFound { .. } => "run `torchfix install` to make one here, or name one with `--venv DIR`",
            Self::NotAnEnvironment { .. } | Self::NotEmpty { .. } => {
                "name another folder with `--venv DIR`; one that does not exist yet is made"
            }
            Self::BrokenLink { .. } => "remove the link, or name an environment with `--venv DIR`",
            Self::NoPython { .. } | Self::Python { .. } | Self::Elsewhere { .. } => {
                "the environment was moved or its Python removed: delete it and run `torchfix install` again"
            }
            Self::ExternallyManaged { .. } => "run `torchfix install --venv .venv` to work in a virtual environment",
            Self::OtherPython { .. } => "leave out `--python`, or name another environment with `--venv DIR`",
            Self::NoRedirector { .. } => {
                "it is an embeddable or a cut-down one: install Python in full, as `winget install Python.Python.3.12` \
                 does, or name another with `--python`"
            }
            Self::NoRecord { .. } | Self::Record { .. } => {
                "remove it with the tool that installed it, or start from a new environment"
            }
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}
