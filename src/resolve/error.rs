//! Why there is no resolution.

use super::TooHard;
use super::explanation::Explanation;
use crate::machine::FactsError;
use crate::vocab::{Diagnostic, ExitStatus};

/// Why there is no resolution; `E` is the error of index pages.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError<E: std::error::Error + 'static> {
    /// Code `resolve.no-solution`, exit 10.
    #[error("{message}")]
    NoSolution {
        /// What cannot be had.
        message: String,
        /// The proof, a sentence a line.
        explanation: Explanation,
        /// What would help.
        hints: Vec<String>,
    },
    /// Code `resolve.too-hard`, exit 10.
    #[error("no set of wheels was found: {0}")]
    TooHard(TooHard),
    /// Code `resolve.torch-index-unreachable`, exit 20.
    #[error("the PyTorch index `{url}` cannot be reached, and no other index has a torch that serves this machine")]
    TorchIndexUnreachable {
        /// Its root, without credentials.
        url: String,
        /// Why not.
        #[source]
        source: E,
        /// What the other index lacks, a sentence a line.
        explanation: Explanation,
        /// What would help.
        hints: Vec<String>,
    },
    /// The code and exit status of the page's own error.
    #[error(transparent)]
    Pages(E),
    /// The code and exit status of the fact's own error.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// Code `resolve.gpus-unknown`, exit 2.
    #[error("it is not known which GPUs this machine has, and that decides which torch serves it")]
    GpusUnknown,
    /// Code `resolve.capability-unknown`, exit 2.
    #[error("the compute capability of `{gpu}` is not known, and it decides which torch serves it")]
    CapabilityUnknown {
        /// The card.
        gpu: String,
    },
    /// Code `resolve.not-a-wheel`, exit 2.
    #[error("`{name} @ {url}` is not the URL of a wheel, and torchfix installs wheels only")]
    NotAWheel {
        /// What is asked for.
        name: String,
        /// The URL, without credentials.
        url: String,
    },
    /// Code `resolve.url-names-another`, exit 2.
    #[error("`{name} @ {url}` is a wheel of `{found}`")]
    UrlNamesAnother {
        /// What is asked for.
        name: String,
        /// The URL, without credentials.
        url: String,
        /// The distribution in the wheel's name.
        found: String,
    },
    /// Code `resolve.no-hash-listed`, exit 2.
    #[error("no hash of {} is listed, and hashes are required of everything that is fetched", names.join(", "))]
    NoHashListed {
        /// What is asked for without one.
        names: Vec<String>,
    },
    /// Code `resolve.solver`, exit 70.
    #[error("the solver contradicts itself: {0}")]
    Solver(String),
}

/// Where hashes are required: how to have them all.
pub(super) const LIST_HASHES: &str =
    "`uv pip compile --generate-hashes` writes a file that lists the hashes of all that is needed";

impl<E: Diagnostic> Diagnostic for ResolveError<E> {
    fn code(&self) -> &'static str {
        match self {
            ResolveError::NoSolution { .. } => "resolve.no-solution",
            ResolveError::TooHard(_) => "resolve.too-hard",
            ResolveError::TorchIndexUnreachable { .. } => "resolve.torch-index-unreachable",
            ResolveError::Pages(error) => error.code(),
            ResolveError::Facts(error) => error.code(),
            ResolveError::GpusUnknown => "resolve.gpus-unknown",
            ResolveError::CapabilityUnknown { .. } => "resolve.capability-unknown",
            ResolveError::NotAWheel { .. } => "resolve.not-a-wheel",
            ResolveError::UrlNamesAnother { .. } => "resolve.url-names-another",
            ResolveError::NoHashListed { .. } => "resolve.no-hash-listed",
            ResolveError::Solver(_) => "resolve.solver",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            ResolveError::NoSolution { .. } | ResolveError::TooHard(_) => ExitStatus::NoSolution,
            ResolveError::TorchIndexUnreachable { .. } => ExitStatus::Network,
            ResolveError::Pages(error) => error.exit_status(),
            ResolveError::Facts(error) => error.exit_status(),
            ResolveError::Solver(_) => ExitStatus::Bug,
            _ => ExitStatus::Usage,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            ResolveError::NoSolution { hints, .. } | ResolveError::TorchIndexUnreachable { hints, .. } => hints.clone(),
            ResolveError::TooHard(reason) => reason.hints(),
            ResolveError::Pages(error) => error.hints(),
            ResolveError::Facts(error) => error.hints(),
            ResolveError::GpusUnknown => {
                vec!["say which: `--gpu 8.6`, `--gpu \"RTX 4090\"` or `--gpu none`".to_owned()]
            }
            ResolveError::CapabilityUnknown { .. } => vec!["state it: `--gpu 8.6`".to_owned()],
            ResolveError::NotAWheel { .. } => {
                vec!["build a wheel of it with `pip wheel`, and give its path".to_owned()]
            }
            ResolveError::NoHashListed { .. } => {
                vec![
                    "`uv pip compile --generate-hashes` writes a file that lists the hashes of all it names".to_owned(),
                ]
            }
            ResolveError::UrlNamesAnother { .. } | ResolveError::Solver(_) => Vec::new(),
        }
    }

    fn explanation(&self) -> Vec<String> {
        match self {
            ResolveError::NoSolution { explanation, .. } | ResolveError::TorchIndexUnreachable { explanation, .. } => {
                explanation.on_a_screen()
            }
            ResolveError::Pages(error) => error.explanation(),
            _ => Vec::new(),
        }
    }

    fn whole_explanation(&self) -> Vec<String> {
        match self {
            ResolveError::NoSolution { explanation, .. } | ResolveError::TorchIndexUnreachable { explanation, .. } => {
                explanation.all()
            }
            ResolveError::Pages(error) => error.whole_explanation(),
            _ => Vec::new(),
        }
    }
}
