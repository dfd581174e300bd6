//! Each command joins the stages to one answer. `Args`, `Host` → `ExitStatus`.

mod cache;
mod check;
mod detect;
mod documents;
mod error;
mod explain;
mod install;
mod manifests;
mod matrix;
mod room;
mod search_path;
mod session;
mod target;
mod view;

use std::ffi::OsString;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::cli::{Cli, Command, Format, GlobalArgs};
use crate::error::Error;
use crate::host::Host;
use crate::report::{self, Output, Verbosity};
use crate::vocab::ExitStatus;
use error::CommandError;
use session::Session;

/// Runs the command line `arguments`, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitStatus {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &arguments),
    };
    let host = match Host::of_process() {
        Ok(host) => host,
        Err(source) => {
            let output = Output { json: cli.global.is_json(), verbosity: Verbosity::Normal, progress: false };
            report::failure(output, &CommandError::WorkingDirectory(source).into());
            return ExitStatus::FileSystem;
        }
    };
    let session = Session::new(cli.global, host);
    match dispatch(&session, cli.command) {
        Ok(status) if report::answer_arrived() => status,
        Ok(_) => {
            report::failure(Output { json: false, ..session.output }, &CommandError::AnswerLost.into());
            ExitStatus::FileSystem
        }
        Err(error) => {
            report::failure(session.output, &error);
            error.exit_status()
        }
    }
}

fn dispatch(session: &Session, command: Command) -> Result<ExitStatus, Error> {
    match command {
        Command::Cache(command) => cache::run(session, command),
        Command::Manifests(command) => manifests::run(session, &command),
        Command::Completions { shell } => Ok(documents::completions(session.output, shell)),
        Command::Man => documents::manual(session.output),
        Command::Version => Ok(documents::version(session.output)),
        Command::Install(args) => install::run(session, &args),
        Command::Detect(args) => detect::run(session, &args),
        Command::Explain(args) => explain::run(session, &args),
        Command::Matrix(args) => matrix::run(session, &args),
    }
}

/// `--help` and `--version` are answers; all else that clap stops at is wrong usage.
fn usage(error: &clap::Error, arguments: &[OsString]) -> ExitStatus {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A closed pipe is the reader's wish.
        let _ = error.print();
        return ExitStatus::Done;
    }
    let words: Vec<_> = arguments.iter().filter_map(|word| word.to_str()).collect();
    let json = words.iter().any(|word| matches!(*word, "--json" | "--format=json"))
        || words.windows(2).any(|pair| pair == ["--format", "json"]);
    if json {
        let text = error.render().to_string();
        // What is wrong, with the lines that name it; the usage after it is for people.
        let wrong: Vec<&str> = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
        let message = wrong.join(" ").trim_start_matches("error: ").to_owned();
        report::failure(
            Output { json, verbosity: Verbosity::Normal, progress: false },
            &CommandError::Arguments(message).into(),
        );
    } else {
        let _ = error.print();
    }
    ExitStatus::Usage
}

/// How much may be said, and how.
fn output(global: &GlobalArgs, host: &Host) -> Output {
    let verbosity = match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let progress = host.stderr_is_terminal
        && verbosity > Verbosity::Quiet
        && !global.no_progress
        && host.variable(crate::variables::NO_PROGRESS).is_none()
        && host.variable(crate::variables::CI).is_none();
    Output { json: global.json || global.format == Format::Json, verbosity, progress }
}
