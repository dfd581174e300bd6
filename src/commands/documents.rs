//! Commands that only print what the command line itself defines.

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::error::Error;
use crate::report::Output;
use crate::vocab::{Diagnostic, ExitStatus};

/// A document could not be rendered: a fault of torchfix. Code `internal.document`, exit 70.
#[derive(Debug, thiserror::Error)]
#[error("the manual page cannot be rendered")]
struct DocumentError(#[source] std::io::Error);

impl Diagnostic for DocumentError {
    fn code(&self) -> &'static str {
        "internal.document"
    }

    fn exit_status(&self) -> ExitStatus {
        ExitStatus::Bug
    }
}

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
    clap_mangen::Man::new(command.clone()).render(&mut pages).map_err(DocumentError)?;
    for subcommand in command.get_subcommands() {
        clap_mangen::Man::new(subcommand.clone()).render(&mut pages).map_err(DocumentError)?;
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
