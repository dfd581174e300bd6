//! Where answers and talk go.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// A line of the answer.
    pub fn answer(&self, text: &str) {
        note_lost(writeln!(anstream::stdout().lock(), "{text}"));
    }

    /// Bytes of the answer as they are: a completion script, a manual page.
    pub fn answer_bytes(&self, bytes: &[u8]) {
        note_lost(io::stdout().lock().write_all(bytes));
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

    /// What the user can do.
    pub fn hint(&self, text: &str) {
        eprint_line(&format!("{CYAN}hint:{CYAN:#} {text}"));
    }

    /// A warning; said even when quiet.
    pub fn warn(&self, text: &str) {
        eprint_line(&format!("{YELLOW}warning:{YELLOW:#} {text}"));
    }
}

/// Whether a part of the answer could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

fn note_lost(written: io::Result<()>) {
    // A closed pipe is the reader's wish.
    if written.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe) {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// Whether all of the answer reached stdout: false where a disk is full, true where a reader left early.
pub fn answer_arrived() -> bool {
    note_lost(io::stdout().flush());
    !LOST.load(Ordering::Relaxed)
}

pub(super) fn eprint_line(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}
