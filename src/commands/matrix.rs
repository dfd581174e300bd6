//! `torchfix matrix`: which releases and variants of torch run on this machine.

use super::session::Session;
use super::target;
use crate::cli::MatrixArgs;
use crate::error::Error;
use crate::report::MatrixView;
use crate::resolve;
use crate::vocab::ExitStatus;

/// Runs the command; the manifests alone are asked, no index.
pub(super) fn run(session: &Session, args: &MatrixArgs) -> Result<ExitStatus, Error> {
    let about = &args.about;
    let manifests = session.manifests(about.manifests.as_deref())?;
    let machine = target::machine(session, &manifests, &about.environment, &about.machine)?;
    let matrix = resolve::matrix(&machine, &manifests, args.all)?;
    MatrixView::new(&matrix).answer(session.output);
    Ok(ExitStatus::Done)
}
