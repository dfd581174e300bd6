//! Why a file is no DLL that could be loaded anywhere.

/// Why a file cannot be loaded, whatever surrounds it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PeFault {
    /// It is something else.
    #[error("is no Windows DLL")]
    NotPe,
    /// Its end is missing.
    #[error("is truncated: {has} bytes of at least {needs}")]
    Truncated {
        /// The bytes its headers promise.
        needs: u64,
        /// The bytes there are.
        has: u64,
    },
    /// Its headers contradict themselves.
    #[error("has damaged headers: {what}")]
    Malformed {
        /// Where.
        what: &'static str,
    },
    /// It was not judged: those before it hold as much as is kept of all together.
    #[error("was not looked into: DLLs with more than {most} bytes of names in all are no torch's")]
    TooMuch {
        /// How much is kept.
        most: usize,
    },
    /// The file cannot be read.
    #[error("cannot be read: {error}")]
    Unreadable {
        /// What the system says.
        error: String,
    },
}

pub(super) const fn malformed(what: &'static str) -> PeFault {
    PeFault::Malformed { what }
}
