//! Which files may be taken at all, whatever their version: by hash and by age.

use super::{Asked, InstalledPin};
use crate::catalog::manifest::FamilyMember;
use crate::catalog::{Artifact, Manifests};
use crate::machine::Incompatible;
use crate::vocab::{Moment, Version};

/// Why no wheel of a version may be taken; the greater, the nearer it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Miss {
    /// It is not for this machine.
    Incompatible(Incompatible),
    /// It was uploaded too late.
    TooNew,
    /// No one says when it was uploaded, and a bound is set.
    NoUploadTime,
    /// Hashes are required, and no requirement lists one of this distribution.
    NoHashListed,
    /// Its hash is not one of those that are listed.
    AnotherHash,
}

/// Judges files by the rules of a request.
#[derive(Debug, Clone, Copy)]
pub struct Admission<'a> {
    exclude_newer: Option<Moment>,
    asked: &'a Asked,
    manifests: &'a Manifests,
    installed: &'a [InstalledPin],
}

impl<'a> Admission<'a> {
    /// The rules of a request; what is installed and kept is not fetched, so that none of them holds for it.
    pub fn new(
        exclude_newer: Option<Moment>,
        asked: &'a Asked,
        manifests: &'a Manifests,
        installed: &'a [InstalledPin],
    ) -> Self {
        Self { exclude_newer, asked, manifests, installed }
    }

    /// Whether only files with a listed hash are taken.
    pub fn lists_hashes(&self) -> bool {
        self.asked.lists_hashes()
    }

    /// Whether a file may be taken.
    pub fn judge(&self, artifact: &Artifact) -> Result<(), Miss> {
        let (name, version) = (&artifact.file_name.name, &artifact.file_name.version);
        if !self.asked.upgrade && self.installed.iter().any(|pin| pin.name == *name && pin.version == *version) {
            return Ok(());
        }
        if let Some(bound) = self.exclude_newer {
            match artifact.upload_time.or_else(|| self.released(artifact)) {
                None => return Err(Miss::NoUploadTime),
                Some(uploaded) if uploaded >= bound => return Err(Miss::TooNew),
                Some(_) => {}
            }
        }
        match (self.asked.hashes(name), artifact.sha256) {
            (Some(listed), _) if listed.is_empty() => Err(Miss::NoHashListed),
            (Some(listed), Some(hash)) if !listed.contains(&hash) => Err(Miss::AnotherHash),
            // Where the page states no hash, what comes is held against the list.
            _ => Ok(()),
        }
    }

    /// The day a member of torch's family appeared with its release of torch, for pages that do not say.
    fn released(&self, artifact: &Artifact) -> Option<Moment> {
        let (name, version) = (&artifact.file_name.name, &artifact.file_name.version);
        if self.manifests.family_member(name) != Some(FamilyMember::BuiltForTorch) {
            return None;
        }
        let version: Version = version.clone().without_local();
        let mut releases = self.manifests.releases().iter();
        let release = releases.find(|release| match name.as_ref() {
            "torchvision" => release.torchvision == version,
            "torchaudio" => release.torchaudio == version,
            _ => release.version == version,
        })?;
        Moment::of_day(&release.released)
    }
}
