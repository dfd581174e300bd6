//! The metadata of versions: read as far as it goes, and what is refused is said.

use std::ops::Bound;
use std::sync::Arc;

use super::provider::{Provider, Stop, Unusable};
use crate::catalog::Pages;
use crate::vocab::{CoreMetadata, Diagnostic as _, ExitStatus, PackageName, Version};

impl<P: Pages> Provider<'_, P> {
    /// The metadata of a version; one that is refused is noted, and passed over.
    pub(super) fn metadata(
        &self,
        name: &PackageName,
        version: &Version,
    ) -> Result<Result<Arc<CoreMetadata>, Unusable>, Stop<P::Error>> {
        let Some(artifact) = self.artifact(name, version) else {
            return Ok(Err(Unusable::Metadata("its wheel is gone from the page".to_owned())));
        };
        self.effort.metadata(name, version);
        match self.projects.pages().metadata(&artifact) {
            Ok(metadata) => {
                self.effort.look(metadata.requires_dist.len());
                Ok(Ok(metadata))
            }
            Err(error) if error.exit_status() == ExitStatus::Refused => {
                let reason = in_full(&error);
                self.refused.borrow_mut().entry(name.clone()).or_default().insert(version.clone(), reason.clone());
                Ok(Err(Unusable::Metadata(reason)))
            }
            Err(error) => Err(Stop::Pages(error)),
        }
    }

    /// What was passed over for its metadata although it is newer than what was chosen, a sentence a distribution.
    pub(super) fn passed_over(&self, name: &PackageName, chosen: &Version) -> Option<String> {
        let refused = self.refused.borrow();
        let mut newer = refused.get(name)?.range((Bound::Excluded(chosen), Bound::Unbounded)).rev();
        let (version, reason) = newer.next()?;
        let others = match newer.count() {
            0 => String::new(),
            1 => ", as was one older version".to_owned(),
            count => format!(", as were {count} older versions"),
        };
        Some(format!("{name} {version} was passed over{others}: {reason}"))
    }
}

/// An error with all that caused it, in one line.
fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
