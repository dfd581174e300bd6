//! The `torchfix` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    torchfix::commands::run(std::env::args_os()).into()
}
