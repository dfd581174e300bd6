//! What every error of torchfix can say about itself beyond its message.

use std::process::ExitCode;

/// The exit status of the process; the numbers are a contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitStatus {
    /// 0: done, or healthy.
    Done = 0,
    /// 1: the environment is not healthy.
    Unhealthy = 1,
    /// 2: wrong usage.
    Usage = 2,
    /// 10: no solution.
    NoSolution = 10,
    /// 20: network or index.
    Network = 20,
    /// 24: a wheel or its metadata was refused.
    Refused = 24,
    /// 30: file system.
    FileSystem = 30,
    /// 40: the environment is unusable.
    Environment = 40,
    /// 70: a bug in torchfix.
    Bug = 70,
    /// 130: interrupted; what was begun was rolled back.
    Interrupted = 130,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        ExitCode::from(status as u8)
    }
}

/// An error with a stable code, an exit status, and what to do about it.
///
/// The message (its `Display`) says what is wrong, lower case and without a full stop; a hint is a command or a fact
/// one can act on.
pub trait Diagnostic: std::error::Error + Send + Sync + 'static {
    /// The stable, dotted code: `fetch.hash-mismatch`.
    fn code(&self) -> &'static str;

    /// The exit status the process ends with when this error ends it.
    fn exit_status(&self) -> ExitStatus;

    /// What the user can do, most promising first.
    fn hints(&self) -> Vec<String> {
        Vec::new()
    }

    /// The proof behind the message, a sentence a line, a screen at most.
    fn explanation(&self) -> Vec<String> {
        Vec::new()
    }

    /// The same at whatever length it has.
    fn whole_explanation(&self) -> Vec<String> {
        self.explanation()
    }
}
