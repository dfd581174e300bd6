//! Where answers and talk go.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// What is chosen and done.
    Normal,
    /// Every detail.
    Verbose,
}

/// The two streams: stdout carries the answer, stderr the talk.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Whether the answer is JSON.
    pub json: bool,
    /// How much is said.
    pub verbosity: Verbosity,
    /// Whether bars may be drawn.
    pub progress: bool,
}

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const GREEN: Style = AnsiColor::Green.on_default().bold();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const RED: Style = AnsiColor::Red.on_default().bold();
pub(super) const CYAN: Style = AnsiColor::Cyan.on_default();

impl Output {
    /// A line of the answer. Errors of a closed pipe are the reader's wish and end nothing.
    pub fn answer(&self, text: &str) {
        let _ = writeln!(anstream::stdout().lock(), "{text}");
    }

    /// Bytes of the answer as they are: a completion script, a manual page.
    pub fn answer_bytes(&self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
    }

    /// The answer as JSON, one object on one line a program can read.
    pub fn answer_json(&self, value: &serde_json::Value) {
        self.answer(&value.to_string());
    }

    /// A line of talk, unless `--quiet`.
    pub fn say(&self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            eprint_line(text);
        }
    }

    /// A line of talk for `--verbose`.
    pub fn detail(&self, text: &str) {
        if self.verbosity == Verbosity::Verbose {
            eprint_line(&format!("{DIM}{text}{DIM:#}"));
        }
    }

    /// A warning; said even when quiet.
    pub fn warn(&self, text: &str) {
        eprint_line(&format!("{YELLOW}warning:{YELLOW:#} {text}"));
    }
}

pub(super) fn eprint_line(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}
