//! What only a command can find wrong: settings that do not go together.

use std::path::PathBuf;

use crate::report::bytes;
use crate::vocab::{Diagnostic, ExitStatus, ParsePlatformError, Sha256};

/// A setting that cannot be used, or that does not go together with the machine or the environment.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// Code `usage.arguments`, exit 2: what clap could not parse, in its own words.
    #[error("{0}")]
    Arguments(String),
    /// Code `usage.facts-file`, exit 2.
    #[error("cannot read the facts file `{}`", path.display())]
    FactsFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Code `usage.foreign-facts`, exit 2.
    #[error(
        "the facts are of another machine ({theirs}) than the environment's ({ours}), and only `--dry-run` takes those"
    )]
    ForeignFacts { theirs: String, ours: String },
    /// Code `usage.platform`, exit 2.
    #[error("--platform: {0}")]
    Platform(#[source] ParsePlatformError),
    /// Code `usage.visible`, exit 2.
    #[error("`--visible {0}` names no card that is here")]
    Visible(String),
    /// Code `usage.not-text`, exit 2.
    #[error("the variable {0} is not valid Unicode, so it cannot be followed, and it is not passed over either")]
    NotText(&'static str),
    /// Code `usage.link-mode`, exit 2.
    #[error("`{variable}={value}` is no link mode; link modes are auto, reflink, hardlink, copy")]
    LinkMode { variable: &'static str, value: String },
    /// Code `usage.what`, exit 2.
    #[error("`{0}` is no part of the manifests and no release of torch that they know")]
    What(String),
    /// Code `fetch.unhashed`, exit 24.
    #[error("no index states a hash of {}, and `--require-hashes` was given", .0.join(", "))]
    Unhashed(Vec<String>),
    /// Code `fetch.hash-not-listed`, exit 24.
    #[error("`{wheel}` has sha256 {sha256}, which no requirement lists")]
    HashNotListed { wheel: String, sha256: Sha256 },
    /// Code `install.no-wheel`, exit 10.
    #[error("the index has no wheel of `{name}` for this machine")]
    NoWheel { name: String },
    /// Code `install.no-room`, exit 30.
    #[error("no room in `{}`: {} are needed, {} are free", path.display(), bytes(*need), bytes(*free))]
    NoRoom {
        path: PathBuf,
        /// The option that names another folder.
        option: &'static str,
        need: u64,
        free: u64,
    },
    /// Code `install.path-too-long`, exit 30.
    #[error("`{}` would be {length} characters long, and programs on this Windows open paths of at most {limit}", path.display())]
    PathTooLong {
        path: PathBuf,
        length: usize,
        limit: usize,
        /// By how much the environment's folder is too long.
        surplus: usize,
    },
    /// Code `cache.no-folder`, exit 30.
    #[error("no cache folder: neither the home folder nor a cache folder is set")]
    NoCacheFolder,
    /// Code `host.working-directory`, exit 30.
    #[error("the working directory cannot be read")]
    WorkingDirectory(#[source] std::io::Error),
    /// Code `output.lost`, exit 30.
    #[error("the answer could not be written to stdout")]
    AnswerLost,
    /// Code `interrupted`, exit 130.
    #[error("interrupted; the environment is as it was, and what was fetched is kept for the next run")]
    Interrupted,
    /// Code `internal.document`, exit 70.
    #[error("the manual page cannot be rendered")]
    Document(#[source] std::io::Error),
}

impl Diagnostic for CommandError {
    fn code(&self) -> &'static str {
        match self {
            Self::Arguments(_) => "usage.arguments",
            Self::FactsFile { .. } => "usage.facts-file",
            Self::ForeignFacts { .. } => "usage.foreign-facts",
            Self::Platform(_) => "usage.platform",
            Self::Visible(_) => "usage.visible",
            Self::NotText(_) => "usage.not-text",
            Self::LinkMode { .. } => "usage.link-mode",
            Self::What(_) => "usage.what",
            Self::Unhashed(_) => "fetch.unhashed",
            Self::HashNotListed { .. } => "fetch.hash-not-listed",
            Self::NoWheel { .. } => "install.no-wheel",
            Self::NoRoom { .. } => "install.no-room",
            Self::PathTooLong { .. } => "install.path-too-long",
            Self::NoCacheFolder => "cache.no-folder",
            Self::WorkingDirectory(_) => "host.working-directory",
            Self::AnswerLost => "output.lost",
            Self::Interrupted => "interrupted",
            Self::Document(_) => "internal.document",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Unhashed(_) | Self::HashNotListed { .. } => ExitStatus::Refused,
            Self::NoRoom { .. }
            | Self::PathTooLong { .. }
            | Self::NoCacheFolder
            | Self::WorkingDirectory(_)
            | Self::AnswerLost => ExitStatus::FileSystem,
            Self::NoWheel { .. } => ExitStatus::NoSolution,
            Self::Interrupted => ExitStatus::Interrupted,
            Self::Document(_) => ExitStatus::Bug,
            _ => ExitStatus::Usage,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Arguments(_) => {
                "`torchfix --help` lists the commands, `torchfix COMMAND --help` their options".to_owned()
            }
            Self::FactsFile { .. } => "`torchfix detect --json` writes such a file".to_owned(),
            Self::Visible(_) => {
                "`torchfix detect` shows the cards and their numbers; `--gpu none` plans for the CPU".to_owned()
            }
            Self::NotText(variable) => format!("set {variable} anew, or unset it"),
            Self::ForeignFacts { .. } => "add `--dry-run` to see the plan for that machine".to_owned(),
            Self::What(_) => "name one of torch, cuda, cudnn, dlls, gpus, indexes, or a version of torch".to_owned(),
            Self::NoRoom { option, .. } => {
                format!(
                    "free some space, with `torchfix cache clean` for one, or name a folder elsewhere: `{option} DIR`"
                )
            }
            Self::PathTooLong { surplus, .. } => format!(
                "make the environment in a folder whose path is {surplus} characters shorter (`--venv DIR`), or let Windows \
                 take long paths, as an administrator: `reg add HKLM\\SYSTEM\\CurrentControlSet\\Control\\FileSystem /v \
                 LongPathsEnabled /t REG_DWORD /d 1 /f`"
            ),
            Self::NoCacheFolder => {
                format!("name one: `--cache-dir DIR`, or the variable {}", crate::variables::CACHE_DIR)
            }
            _ => return Vec::new(),
        };
        vec![hint]
    }
}
