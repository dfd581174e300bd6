//! What can be wrong with facts that were stated.

use crate::vocab::{Diagnostic, ExitStatus};

/// Facts, from a file or the command line, that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// Code `facts.not-json`, exit 2.
    #[error("the facts are not a JSON object: {reason}")]
    NotJson {
        /// What the parser said.
        reason: String,
    },
    /// Code `facts.schema`, exit 2.
    #[error("the facts are of schema `{found}`, not `{}`", super::facts::SCHEMA)]
    Schema {
        /// What stands there.
        found: String,
    },
    /// Code `facts.missing`, exit 2.
    #[error("the facts do not say `{key}`, which decides here")]
    Missing {
        /// The key, `python.version`.
        key: &'static str,
    },
    /// Code `facts.invalid`, exit 2.
    #[error("`{key}` in the facts is {found}, not {expected}")]
    Invalid {
        /// The key, `gpus[0].compute_capability`.
        key: String,
        /// What stands there, as JSON, shortened.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// Code `facts.unknown-gpu`, exit 2.
    #[error("no GPU called `{name}` is known")]
    UnknownGpu {
        /// The name as it was stated.
        name: String,
    },
    /// Code `facts.statement`, exit 2.
    #[error("`{text}` is not {expected}")]
    Statement {
        /// What was typed.
        text: String,
        /// What should have been.
        expected: &'static str,
    },
}

impl Diagnostic for FactsError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "facts.not-json",
            Self::Schema { .. } => "facts.schema",
            Self::Missing { .. } => "facts.missing",
            Self::Invalid { .. } => "facts.invalid",
            Self::UnknownGpu { .. } => "facts.unknown-gpu",
            Self::Statement { .. } => "facts.statement",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        ExitStatus::Usage
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NotJson { .. } | Self::Schema { .. } | Self::Invalid { .. } => {
                "`torchfix detect --json` prints facts in the form that is read"
            }
            Self::Missing { key: "python" | "python.version" } => {
                "state one with `--python-version 3.12`; `--platform` needs it as well"
            }
            Self::Missing { key: "gpus" | "gpus[].compute_capability" } => {
                "state the card with `--gpu`, by name or compute capability, or `--gpu none`"
            }
            Self::Missing { .. } => "`torchfix detect --json` on the machine that is meant prints them all",
            Self::UnknownGpu { .. } => "state its compute capability instead, as in `--gpu 8.6`",
            Self::Statement { .. } => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}
