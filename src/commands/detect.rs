//! `torchfix detect`: the facts about this machine.

use super::session::Session;
use super::target;
use crate::cli::AboutArgs;
use crate::error::Error;
use crate::report;
use crate::vocab::ExitStatus;

/// Runs the command.
pub(super) fn run(session: &Session, args: &AboutArgs) -> Result<ExitStatus, Error> {
    let manifests = session.manifests(args.manifests.as_deref())?;
    let machine = target::machine(session, &manifests, &args.environment, &args.machine)?;
    if session.output.json {
        session.output.answer_json(&machine.to_facts_json());
    } else {
        for line in report::machine_lines(&machine) {
            session.output.answer(&line);
        }
    }
    Ok(ExitStatus::Done)
}
