//! What can go wrong while an environment is changed; it is as before then.

use std::io;
use std::path::PathBuf;

use crate::host::is_in_use;
use crate::venv::VenvError;
use crate::vocab::{Diagnostic, ExitStatus, WheelName};

/// An environment that was not changed, and why.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Code and exit status of the environment's own error.
    #[error(transparent)]
    Environment(#[from] VenvError),
    /// Code `install.refused`, exit 24.
    #[error("`{wheel}` is not installed")]
    Refused {
        /// The wheel.
        wheel: Box<WheelName>,
        /// Why.
        #[source]
        refusal: Refusal,
    },
    /// Code `install.disk-full`, exit 30.
    #[error("the disk is full")]
    DiskFull(#[source] io::Error),
    /// Code `install.read-only`, exit 30.
    #[error("the environment cannot be written")]
    ReadOnly(#[source] io::Error),
    /// Code `install.in-use`, exit 30.
    #[error("a file of the environment is in use{by}")]
    InUse {
        /// What the system says, with the file's path.
        #[source]
        source: io::Error,
        /// ` by …`, or nothing where no one knows.
        by: String,
    },
    /// Code `install.path-too-long`, exit 30.
    #[error("a path is too long for this file system")]
    PathTooLong(#[source] io::Error),
    /// Code `install.io`, exit 30.
    #[error("the environment could not be changed")]
    Io(#[source] io::Error),
    /// Code `install.in-the-way`, exit 40.
    #[error("`{path}` is in the way: {what}")]
    InTheWay {
        /// What stands where something else has to.
        path: PathBuf,
        /// What it is, in a few words.
        what: &'static str,
    },
    /// Code `install.stale-plan`, exit 40.
    #[error("the environment `{root}` was changed by another program in the meantime")]
    StalePlan {
        /// The environment.
        root: PathBuf,
    },
    /// Code `install.journal`, exit 40.
    #[error("`{path}`, which tells how to undo an interrupted change, cannot be used: {reason}")]
    Journal {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Code `install.additions`, exit 40.
    #[error("`{path}`, which lists what torchfix added, cannot be used: {reason}")]
    Additions {
        /// The list.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Code `install.wheel-missing`, exit 70.
    #[error("the plan holds `{wheel}`, which was not unpacked")]
    WheelMissing {
        /// The wheel.
        wheel: Box<WheelName>,
    },
    /// Code `install.interrupted`, exit 130.
    #[error("interrupted: the environment is as it was")]
    Interrupted,
}

/// Why a wheel is not installed although its bytes are what they should be.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// WHEEL is missing or unreadable.
    #[error("`{path}` cannot be read: {reason}")]
    Unreadable {
        /// The file in the wheel.
        path: String,
        /// Why.
        reason: String,
    },
    /// A newer major version of the wheel format.
    #[error("it has wheel format {version}, and only 1.x is known")]
    WheelVersion {
        /// `Wheel-Version` as it stands there.
        version: String,
    },
    /// A folder of `.data` that no scheme has.
    #[error("`{path}` belongs to no known scheme")]
    UnknownScheme {
        /// The file in the wheel.
        path: String,
    },
    /// A file that would replace the interpreter or what else keeps the environment together.
    #[error("`{path}` would replace a file of the environment itself")]
    Reserved {
        /// The place it would take.
        path: String,
    },
    /// A path that leads out of its folder.
    #[error("`{path}` leads out of its folder")]
    Escapes {
        /// The path.
        path: String,
    },
    /// A name of an entry point that is no single safe file name.
    #[error("the entry point `{name}` is not a plain file name")]
    EntryPointName {
        /// The name.
        name: String,
    },
    /// An entry point that names no Python object.
    #[error("the entry point `{name}` refers to `{object}`, which is not `module:object`")]
    EntryPointObject {
        /// Its name.
        name: String,
        /// What it refers to.
        object: String,
    },
    /// A launcher names its interpreter in UTF-8, and this one's path is no Unicode.
    #[error("its program `{name}` cannot name the interpreter `{python}`, whose path is not Unicode")]
    Launcher {
        /// The entry point.
        name: String,
        /// The interpreter.
        python: PathBuf,
    },
}

impl InstallError {
    /// A file that `holders` use, as far as the system tells.
    pub(super) fn in_use(source: io::Error, holders: &[String]) -> Self {
        let by = if holders.is_empty() { String::new() } else { format!(" by {}", holders.join(", ")) };
        Self::InUse { source, by }
    }
}

impl From<io::Error> for InstallError {
    fn from(error: io::Error) -> Self {
        if is_in_use(&error) {
            return Self::in_use(error, &[]);
        }
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(error),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly(error),
            io::ErrorKind::InvalidFilename => Self::PathTooLong(error),
            _ => Self::Io(error),
        }
    }
}

impl Diagnostic for InstallError {
    fn code(&self) -> &'static str {
        match self {
            Self::Environment(error) => error.code(),
            Self::Refused { .. } => "install.refused",
            Self::DiskFull(_) => "install.disk-full",
            Self::ReadOnly(_) => "install.read-only",
            Self::InUse { .. } => "install.in-use",
            Self::PathTooLong(_) => "install.path-too-long",
            Self::Io(_) => "install.io",
            Self::InTheWay { .. } => "install.in-the-way",
            Self::StalePlan { .. } => "install.stale-plan",
            Self::Journal { .. } => "install.journal",
            Self::Additions { .. } => "install.additions",
            Self::WheelMissing { .. } => "install.wheel-missing",
            Self::Interrupted => "install.interrupted",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Environment(error) => error.exit_status(),
            Self::Refused { .. } => ExitStatus::Refused,
            Self::DiskFull(_) | Self::ReadOnly(_) | Self::InUse { .. } | Self::PathTooLong(_) | Self::Io(_) => {
                ExitStatus::FileSystem
            }
            Self::InTheWay { .. } | Self::StalePlan { .. } | Self::Journal { .. } | Self::Additions { .. } => {
                ExitStatus::Environment
            }
            Self::WheelMissing { .. } => ExitStatus::Bug,
            Self::Interrupted => ExitStatus::Interrupted,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Environment(error) => return error.hints(),
            Self::DiskFull(_) => "free some space, or put the environment on another disk with `--venv DIR`",
            Self::ReadOnly(_) => "check who owns the environment, or name another one with `--venv DIR`",
            Self::InUse { .. } => "close every program that runs this environment's Python, then run the command again",
            Self::PathTooLong(_) => "put the environment in a folder with a shorter path",
            Self::InTheWay { .. } => "move it away, then run the command again",
            Self::StalePlan { .. } | Self::Interrupted => "run the command again",
            Self::Journal { .. } => "delete the environment and make it again, or move the files named there by hand",
            Self::Additions { .. } => "delete it; the files it lists then stay until the environment is made again",
            Self::Refused { .. } | Self::Io(_) | Self::WheelMissing { .. } => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}
