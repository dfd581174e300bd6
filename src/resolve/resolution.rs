//! What the solver answers.

use super::Unfit;
use super::asked::without_credentials;
use crate::lock::LockedWheel;
use crate::vocab::{CoreMetadata, CudaVersion, PackageName, Sha256, Url, Variant, Version};

/// One consistent set of wheels, and why these.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// The wheels, by name.
    pub wheels: Vec<LockedWheel>,
    /// The build of torch, when torch is among them.
    pub torch: Option<TorchChoice>,
    /// Why this and nothing else, in sentences.
    pub reasons: Vec<String>,
    /// What the user should know before going on.
    pub warnings: Vec<String>,
    /// Builds newer than the chosen one that do not serve this machine, newest first, the nearest miss of a release first.
    pub unfit: Vec<RejectedBuild>,
}

/// The build of torch that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TorchChoice {
    /// Its version, with its local label when it has one.
    pub version: Version,
    /// What it was built for.
    pub variant: Variant,
    /// Its CUDA line.
    pub cuda: Option<CudaVersion>,
    /// The cuDNN it loads, where that is known.
    pub cudnn: Option<Version>,
}

/// A build of torch that does not serve the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedBuild {
    /// Its release, without a local label.
    pub version: Version,
    /// What it was built for.
    pub variant: Variant,
    /// Why it does not.
    pub reason: Unfit,
}

/// What an environment has of a distribution, as far as the solver prefers to keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledPin {
    /// Its name.
    pub name: PackageName,
    /// Its version, local label included.
    pub version: Version,
}

/// A distribution in an environment, with what it requires.
#[derive(Debug, Clone, PartialEq)]
pub struct InstalledDistribution {
    /// Its METADATA.
    pub metadata: CoreMetadata,
    /// What it was built for where its version does not say: from `torch/version.py`, or a lock.
    pub variant: Option<Variant>,
    /// The archive it was installed from, when a URL was asked for (`direct_url.json`).
    pub archive: Option<InstalledArchive>,
}

/// The archive that a distribution was installed from, by URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledArchive {
    /// Its URL.
    pub url: Url,
    /// What it hashed to, where that was written down.
    pub sha256: Option<Sha256>,
}

impl InstalledArchive {
    /// Whether it is the archive at `url`, and hashes to `sha256` where that is asked.
    ///
    /// Credentials say who asks and not for what: they are left out, and never written down.
    pub fn is(&self, url: &Url, sha256: Option<Sha256>) -> bool {
        let place = |url: &Url| {
            let mut url = url.clone();
            url.set_fragment(None);
            without_credentials(&url)
        };
        place(&self.url) == place(url) && (sha256.is_none() || sha256 == self.sha256)
    }
}

/// Whether an environment has what is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Satisfied {
    /// It has, and it serves the machine: nothing to do.
    Yes,
    /// It has not; the reason is a sentence.
    No(String),
}
