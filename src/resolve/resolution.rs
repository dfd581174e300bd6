//! What the solver answers.

use crate::lock::LockedWheel;
use crate::resolve::Unfit;
use crate::vocab::{CoreMetadata, CudaVersion, PackageName, Variant, Version};

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
    /// The URL it was installed from, when a URL was asked for (`direct_url.json`).
    pub direct_url: Option<crate::vocab::Url>,
}

/// Whether an environment has what is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Satisfied {
    /// It has, and it serves the machine: nothing to do.
    Yes,
    /// It has not; the reason is a sentence.
    No(String),
}
