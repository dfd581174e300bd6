//! The rows of `manifests/*.toml`, as serde reads them.

use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::vocab::{
    Arch, CodeTarget, ComputeCapability, CudaVersion, DriverVersion, GlibcVersion, Os, Url, Variant, Version,
    VersionSpecifiers,
};

/// The form of the files that this torchfix reads.
pub const SCHEMA: u32 = 1;

/// What the keys of `source` stand for.
pub type SourceTexts = BTreeMap<String, String>;

/// `torch.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TorchFile {
    /// The form of the file.
    pub schema: u32,
    /// When the facts were gathered.
    pub as_of: String,
    /// Where they come from.
    pub sources: SourceTexts,
    /// Every release, oldest first.
    pub release: Vec<Release>,
}

/// One release of torch.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Its version, without a local label.
    pub version: Version,
    /// The day it appeared.
    pub released: String,
    /// The Pythons it is for.
    pub requires_python: VersionSpecifiers,
    /// The torchvision made for it.
    pub torchvision: Version,
    /// The torchaudio made for it.
    pub torchaudio: Version,
    /// The variant of the wheel on PyPI, by platform.
    pub pypi: BTreeMap<Platform, Variant>,
    /// Where the row comes from.
    pub source: Vec<String>,
    /// Its builds.
    pub builds: Vec<Build>,
}

/// One build of a release: a variant for a platform.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// What it runs on.
    pub platform: Platform,
    /// What it was built for.
    pub variant: Variant,
    /// The CUDA toolkit it was built with.
    #[serde(default)]
    pub cuda: Option<Version>,
    /// The cuDNN it loads.
    #[serde(default)]
    pub cudnn: Option<Version>,
    /// The machine code in it; `None` when not known.
    #[serde(default)]
    pub sm: Option<Vec<CodeTarget>>,
    /// The PTX in it.
    #[serde(default)]
    pub ptx: Vec<ComputeCapability>,
    /// The GNU C library it needs.
    #[serde(default)]
    pub glibc: Option<GlibcVersion>,
    /// Whether an install page names it.
    #[serde(default = "yes")]
    pub advertised: bool,
    /// Where the row comes from.
    pub source: Vec<String>,
}

fn yes() -> bool {
    true
}

/// A system and a processor: `linux-x86_64`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// The operating system.
    pub os: Os,
    /// The processor.
    pub arch: Arch,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.os, self.arch)
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (os, arch) = text.split_once('-').unwrap_or((text, ""));
        let os = match os {
            "linux" => Os::Linux,
            "windows" => Os::Windows,
            "macos" => Os::Macos,
            _ => return Err(format!("`{text}` is not a platform such as `linux-x86_64`")),
        };
        match Arch::from(arch) {
            Arch::Other(_) => Err(format!("`{text}` is not a platform such as `linux-x86_64`")),
            arch => Ok(Self { os, arch }),
        }
    }
}

impl<'de> Deserialize<'de> for Platform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// `cuda.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CudaFile {
    /// The form of the file.
    pub schema: u32,
    /// Where the facts come from.
    pub sources: SourceTexts,
    /// Toolkits and their driver floors.
    pub toolkit: Vec<Toolkit>,
    /// What minor-version compatibility asks.
    pub family: Vec<Family>,
    /// Driver branches and the newest CUDA of each.
    pub branch: Vec<Branch>,
    /// Cards that newer branches no longer drive.
    pub retired: Vec<Retired>,
}

/// The drivers that support one toolkit natively.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolkit {
    /// The toolkit, with its patch level.
    pub version: Version,
    /// The lowest Linux driver.
    #[serde(default)]
    pub linux: Option<DriverVersion>,
    /// The lowest Windows driver.
    #[serde(default)]
    pub windows: Option<DriverVersion>,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// The drivers that run every toolkit of a major version.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// The major version.
    pub major: u16,
    /// The lowest Linux driver.
    pub linux: DriverVersion,
    /// The lowest Windows driver.
    pub windows: DriverVersion,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// The newest CUDA of a driver branch.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// The branch: 570 of `570.124.06`.
    pub branch: u16,
    /// The newest CUDA it supports.
    pub cuda: CudaVersion,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// Cards that driver branches from some number on no longer drive.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retired {
    /// Cards below this capability.
    pub below: ComputeCapability,
    /// Branches from this one on.
    pub from: u16,
    /// The last branch that drives them.
    pub last: LastBranch,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// The last driver branch for a card, by system.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastBranch {
    /// On Linux.
    pub linux: u16,
    /// On Windows.
    pub windows: u16,
}

/// `cubin.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CubinFile {
    /// The form of the file.
    pub schema: u32,
    /// Where the facts come from.
    pub sources: SourceTexts,
    /// Exceptions to the general rule, by code target.
    pub cubin: Vec<Cubin>,
}

/// Which devices run code for one target.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cubin {
    /// What the code was compiled for.
    pub code: ComputeCapability,
    /// Devices that do not run it though the general rule says so.
    #[serde(default)]
    pub except: Vec<ComputeCapability>,
    /// The only devices that run it.
    #[serde(default)]
    pub only: Option<Vec<ComputeCapability>>,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// `cudnn.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CudnnFile {
    /// The form of the file.
    pub schema: u32,
    /// Where the facts come from.
    pub sources: SourceTexts,
    /// The floors, oldest release first.
    pub floor: Vec<CudnnFloor>,
}

/// The lowest card that cuDNN runs on from a release on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CudnnFloor {
    /// From this release of cuDNN on.
    pub from: Version,
    /// Cards below this capability are not served.
    pub capability: ComputeCapability,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// `gpus.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuFile {
    /// The form of the file.
    pub schema: u32,
    /// Where the facts come from.
    pub sources: SourceTexts,
    /// Every GPU.
    pub gpu: Vec<GpuRow>,
}

/// One GPU model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuRow {
    /// Its marketing name, without `NVIDIA`.
    pub name: String,
    /// Its compute capability.
    pub capability: ComputeCapability,
    /// Its chip.
    #[serde(default)]
    pub chip: Option<String>,
    /// Its PCI device ids.
    #[serde(default)]
    pub pci: Vec<String>,
    /// Whether NVIDIA's own page names it.
    #[serde(default)]
    pub listed: bool,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// `indexes.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexFile {
    /// The form of the file.
    pub schema: u32,
    /// The default index.
    pub default: DefaultIndex,
    /// The PyTorch index.
    pub torch: TorchIndex,
    /// The names of torch's family.
    pub family: FamilyNames,
}

/// The default index.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultIndex {
    /// Its root.
    pub url: Url,
    /// Where the row comes from.
    pub source: String,
}

/// The PyTorch index.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TorchIndex {
    /// Its root: pages at `<url>/<variant>/<project>/`.
    pub url: Url,
    /// The hosts that serve the same files under the same paths.
    pub hosts: Vec<String>,
    /// Where the row comes from.
    pub source: String,
}

/// The names of torch's family; a `*` at the end stands for any rest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyNames {
    /// Built against one torch and one CUDA line.
    pub built_for_torch: Vec<String>,
    /// The same wheel for every variant.
    pub shared: Vec<String>,
    /// Where the row comes from.
    pub source: String,
}
