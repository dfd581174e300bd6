//! `torchfix explain --why`: why a build runs on this machine, or why not.

use super::session::Session;
use super::target;
use crate::cli::ExplainArgs;
use crate::error::Error;
use crate::report::WhyView;
use crate::resolve::{self, Question};
use crate::vocab::ExitStatus;

/// Runs the command; the manifests alone are asked, no index.
pub(super) fn run(session: &Session, args: &ExplainArgs) -> Result<ExitStatus, Error> {
    let question: Question = args.why.parse()?;
    let about = &args.about;
    let manifests = session.manifests(about.manifests.as_deref())?;
    let machine = target::machine(session, &manifests, &about.environment, &about.machine)?;
    let answer = resolve::why(&machine, &manifests, &question)?;
    WhyView::new(&answer).answer(session.output);
    Ok(if answer.fits() { ExitStatus::Done } else { ExitStatus::NoSolution })
}
