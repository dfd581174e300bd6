//! Results as text or JSON; the only code that prints.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where printing lives")]

mod bars;
mod failure;
mod output;
mod units;

pub use bars::Bars;
pub use failure::failure;
pub use output::{Output, Verbosity};
pub use units::bytes;
