//! Commands that only print what the command line itself defines.

use clap::CommandFactory as _;

use super::error::CommandError;
use crate::cli::Cli;
use crate::error::Error;
use crate::report::Output;
use crate::vocab::ExitStatus;

/// `torchfix completions SHELL`
pub(super) fn completions(output: Output, shell: clap_complete::Shell) -> ExitStatus {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "torchfix", &mut script);
    output.answer_bytes(&script);
    ExitStatus::Done
}

/// `torchfix man`: the page of torchfix, then one of each command.
pub(super) fn manual(output: Output) -> Result<ExitStatus, Error> {
    let mut command = Cli::command();
    command.build();
    let mut pages = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut pages).map_err(CommandError::Document)?;
    for subcommand in command.get_subcommands() {
        clap_mangen::Man::new(subcommand.clone()).render(&mut pages).map_err(CommandError::Document)?;
    }
    output.answer_bytes(&pages);
    Ok(ExitStatus::Done)
}

/// `torchfix version`
pub(super) fn version(output: Output) -> ExitStatus {
    let version = env!("CARGO_PKG_VERSION");
    if output.json {
        output.answer_json(&serde_json::json!({ "schema": "torchfix.version/1", "version": version }));
    } else {
        output.answer(&format!("torchfix {version}"));
    }
    ExitStatus::Done
}
