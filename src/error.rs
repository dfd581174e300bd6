//! Every module's error under one roof, with its code, exit status and hints.

use std::fmt;

use crate::vocab::{Diagnostic, ExitStatus};

/// Whatever ended a command.
pub struct Error(Box<dyn Diagnostic>);

impl<E: Diagnostic> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl Error {
    /// The stable, dotted code.
    pub fn code(&self) -> &'static str {
        self.0.code()
    }

    /// The exit status it ends the process with.
    pub fn exit_status(&self) -> ExitStatus {
        self.0.exit_status()
    }

    /// What the user can do.
    pub fn hints(&self) -> Vec<String> {
        self.0.hints()
    }

    /// The proof behind the message, a sentence a line, a screen at most.
    pub fn explanation(&self) -> Vec<String> {
        self.0.explanation()
    }

    /// The same at whatever length it has.
    pub fn whole_explanation(&self) -> Vec<String> {
        self.0.whole_explanation()
    }

    /// Why, in at most two messages: the nearest cause, and the one at the root; none whose words were said already.
    pub fn causes(&self) -> Vec<String> {
        let mut chain = Vec::new();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            chain.push(error.to_string());
            cause = error.source();
        }
        let root = if chain.len() > 1 { chain.pop() } else { None };
        let mut said = self.0.to_string();
        let mut causes = Vec::new();
        for message in chain.into_iter().take(1).chain(root) {
            if !said.contains(&message) {
                said.push_str(&message);
                causes.push(message);
            }
        }
        causes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer: disk full")]
    struct Outer(#[source] Middle);
    #[derive(Debug, thiserror::Error)]
    #[error("disk full")]
    struct Middle(#[source] std::io::Error);

    impl Diagnostic for Outer {
        fn code(&self) -> &'static str {
            "outer"
        }
        fn exit_status(&self) -> ExitStatus {
            ExitStatus::FileSystem
        }
    }

    #[test]
    fn causes_are_said_once() {
        let error = Error::from(Outer(Middle(std::io::Error::other("errno 28"))));
        assert_eq!(error.causes(), ["errno 28"]);
        assert_eq!(error.exit_status(), ExitStatus::FileSystem);
    }
}
