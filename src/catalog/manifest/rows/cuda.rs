//! `cuda.toml` and `cubin.toml`.

use serde::{Deserialize, Serialize};

use super::SourceTexts;
use crate::vocab::{ComputeCapability, CudaVersion, DriverVersion, PackageName, Version, VersionSpecifiers};

/// `cuda.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CudaFile {
    /// The form of the file.
    #[allow(dead_code, reason = "held against `SCHEMA` before the rows are read")]
    pub schema: u32,
    /// Where the facts come from.
    pub sources: SourceTexts,
    /// Toolkits and their driver floors.
    pub toolkit: Vec<Toolkit>,
    /// What minor-version compatibility asks.
    pub family: Vec<Family>,
    /// Driver branches and the newest CUDA of each.
    pub branch: Vec<Branch>,
    /// What a toolkit can compile code for.
    #[serde(default)]
    pub target: Vec<Target>,
    /// Cards that newer branches no longer drive.
    pub retired: Vec<Retired>,
    /// Libraries that fail on some cards.
    #[serde(default)]
    pub fault: Vec<LibraryFault>,
}

/// The drivers that support one toolkit natively.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Toolkit {
    /// The toolkit, with its patch level.
    pub version: Version,
    /// The lowest Linux driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux: Option<DriverVersion>,
    /// The lowest Windows driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<DriverVersion>,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// The drivers that run every toolkit of a major version.
#[derive(Debug, Clone, Deserialize, Serialize)]
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
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// The branch: 570 of `570.124.06`.
    pub branch: u16,
    /// The newest CUDA it supports.
    pub cuda: CudaVersion,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// The compute capabilities that the toolkits of one CUDA version can compile code for.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The CUDA version.
    pub cuda: CudaVersion,
    /// What it can compile for.
    pub sm: Vec<ComputeCapability>,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// Cards that driver branches from some number on no longer drive.
#[derive(Debug, Clone, Deserialize, Serialize)]
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

/// Versions of a CUDA library that fail on some cards.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LibraryFault {
    /// The distribution.
    pub name: PackageName,
    /// Its versions that fail.
    pub versions: VersionSpecifiers,
    /// The cards they fail on, as `gpus.toml` names them.
    pub gpus: Vec<String>,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// The last driver branch for a card, by system.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
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
    #[allow(dead_code, reason = "held against `SCHEMA` before the rows are read")]
    pub schema: u32,
    /// Where the facts come from.
    pub sources: SourceTexts,
    /// Exceptions to the general rule, by code target.
    pub cubin: Vec<Cubin>,
    /// Exceptions to the exceptions, by device.
    #[serde(default)]
    pub joined: Vec<Joined>,
}

/// A device that runs code for its generation though `cubin` excepts it, where the driver is new enough.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Joined {
    /// The device.
    pub device: ComputeCapability,
    /// The lowest CUDA that the driver must support.
    pub cuda: CudaVersion,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// Which devices run code for one target.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cubin {
    /// What the code was compiled for.
    pub code: ComputeCapability,
    /// Devices that do not run it though the general rule says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<ComputeCapability>,
    /// The only devices that run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<ComputeCapability>>,
    /// Where the row comes from.
    pub source: Vec<String>,
}
