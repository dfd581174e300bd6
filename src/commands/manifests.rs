//! `torchfix manifests`: what torchfix knows, and whether it holds together.

use std::path::Path;

use super::error::CommandError;
use super::session::Session;
use crate::catalog::Manifests;
use crate::catalog::manifest;
use crate::cli::ManifestsCommand;
use crate::error::Error;
use crate::report::{self, ManifestView};
use crate::vocab::ExitStatus;

/// Shows or checks the manifests.
pub(super) fn run(session: &Session, command: &ManifestsCommand) -> Result<ExitStatus, Error> {
    match command {
        ManifestsCommand::Show { what, manifests } => show(session, what.as_deref(), manifests.as_deref()),
        ManifestsCommand::Check { folder, manifests } => check(session, folder.as_deref().or(manifests.as_deref())),
    }
}

fn show(session: &Session, what: Option<&str>, folder: Option<&Path>) -> Result<ExitStatus, Error> {
    let manifests = session.manifests(folder)?;
    let view = view(&manifests, what)?;
    if session.output.json {
        session.output.answer_json(&report::manifest_json(&manifests, view));
    } else {
        for line in report::manifest_lines(&manifests, view) {
            session.output.answer(&line);
        }
    }
    Ok(ExitStatus::Done)
}

fn view<'a>(manifests: &'a Manifests, what: Option<&str>) -> Result<ManifestView<'a>, CommandError> {
    Ok(match what {
        None => ManifestView::Overview,
        Some("torch") => ManifestView::Torch,
        Some("cuda") => ManifestView::Cuda,
        Some("cudnn") => ManifestView::Cudnn,
        Some("dlls") => ManifestView::Dlls,
        Some("gpus") => ManifestView::Gpus,
        Some("indexes") => ManifestView::Indexes,
        Some(other) => {
            let release = other.parse().ok().and_then(|version| manifests.release(&version));
            ManifestView::Release(release.ok_or_else(|| CommandError::What(other.to_owned()))?)
        }
    })
}

fn check(session: &Session, folder: Option<&Path>) -> Result<ExitStatus, Error> {
    let faults = manifest::faults(session.manifests_folder(folder).as_deref())?;
    if session.output.json {
        session.output.answer_json(&report::fault_json(&faults));
    } else {
        for line in report::fault_lines(&faults) {
            session.output.answer(&line);
        }
        if faults.is_empty() {
            session.output.say("nothing is wrong in the manifests");
        }
    }
    Ok(if faults.is_empty() { ExitStatus::Done } else { ExitStatus::Unhealthy })
}
