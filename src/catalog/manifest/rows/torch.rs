//! `torch.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Platform, PythonAbi, SourceTexts};
use crate::vocab::{CodeTarget, ComputeCapability, GlibcVersion, Os, PackageName, Variant, Version, VersionSpecifiers};

/// `torch.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TorchFile {
    /// The form of the file.
    #[allow(dead_code, reason = "held against `SCHEMA` before the rows are read")]
    pub schema: u32,
    /// When the facts were gathered.
    pub as_of: String,
    /// Where they come from.
    pub sources: SourceTexts,
    /// Every release, oldest first.
    pub release: Vec<Release>,
    /// What is built against one torch and one CUDA line beside torchvision and torchaudio.
    #[serde(default)]
    pub extension: Vec<Extension>,
    /// What torch's METADATA does not say of other distributions.
    #[serde(default)]
    pub limit: Vec<Limit>,
    /// What ROCm builds carry code for, oldest ROCm first.
    #[serde(default)]
    pub rocm: Vec<RocmRow>,
}

/// One release of torch.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Its version, without a local label.
    pub version: Version,
    /// The day it appeared.
    pub released: String,
    /// The Pythons it is for, by its METADATA.
    pub requires_python: VersionSpecifiers,
    /// The Pythons it has wheels for; empty where not known.
    #[serde(default)]
    pub pythons: Vec<PythonAbi>,
    /// The torchvision made for it.
    pub torchvision: Version,
    /// The torchaudio made for it.
    pub torchaudio: Version,
    /// What it asks of triton, where triton has wheels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triton: Option<VersionSpecifiers>,
    /// The variant of the wheel on PyPI, by platform.
    pub pypi: BTreeMap<Platform, Variant>,
    /// Where the row comes from.
    pub source: Vec<String>,
    /// Its builds.
    pub builds: Vec<Build>,
}

impl Release {
    /// The Pythons that a build of this release has wheels for; empty where not known.
    pub fn pythons_of<'a>(&'a self, build: &'a Build) -> &'a [PythonAbi] {
        build.pythons.as_deref().unwrap_or(&self.pythons)
    }
}

/// One build of a release: a variant for a platform.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// What it runs on.
    pub platform: Platform,
    /// What it was built for.
    pub variant: Variant,
    /// The CUDA toolkit it was built with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cuda: Option<Version>,
    /// The cuDNN it loads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cudnn: Option<Version>,
    /// The NCCL it loads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nccl: Option<Version>,
    /// The machine code in it; `None` when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sm: Option<Vec<CodeTarget>>,
    /// The PTX in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ptx: Vec<ComputeCapability>,
    /// The GNU C library it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glibc: Option<GlibcVersion>,
    /// Whether extensions of it must be compiled with the C++11 ABI of GNU's library; `None` when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cxx11_abi: Option<bool>,
    /// The Pythons it has wheels for, where they differ from the release's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pythons: Option<Vec<PythonAbi>>,
    /// Whether an install page names it.
    #[serde(default = "advertised")]
    pub advertised: bool,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// What holds where a row does not say it.
fn advertised() -> bool {
    true
}

/// A version of a distribution that is built against one torch and one CUDA line.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// The distribution.
    pub name: PackageName,
    /// Its newest version for that torch.
    pub version: Version,
    /// The torch it is built for.
    pub torch: VersionSpecifiers,
    /// The variants it is built for.
    pub variants: Vec<Variant>,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// Versions of another distribution that a torch works with, and its METADATA does not say so.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The distribution.
    pub name: PackageName,
    /// The torch it is about.
    pub torch: VersionSpecifiers,
    /// The system, where it is not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<Os>,
    /// The versions that torch works with.
    pub allowed: VersionSpecifiers,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// What the builds for one ROCm version carry code for.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RocmRow {
    /// The ROCm version.
    pub version: Version,
    /// The targets: `gfx1100`.
    pub gfx: Vec<String>,
    /// Where the row comes from.
    pub source: Vec<String>,
}
