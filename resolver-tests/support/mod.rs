//! What the test targets share; each uses a part of it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::format_push_string)]
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::missing_panics_doc)]

#[cfg(unix)]
pub mod elf;
pub mod environments;
pub mod grid;
pub mod pages;
pub mod platform;
pub mod replica;
pub mod scenario;
pub mod server;
pub mod site;
pub mod stubs;
pub mod wheels;

/// Says that a test is left out, and why; `scripts/test` counts these lines.
#[allow(clippy::print_stderr, reason = "this is what a skipped test says")]
pub fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}
