//! `cudnn.toml`.

use serde::{Deserialize, Serialize};

use super::SourceTexts;
use crate::vocab::{ComputeCapability, DriverVersion, Version, VersionSpecifiers};

/// `cudnn.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CudnnFile {
    /// The form of the file.
    #[allow(dead_code, reason = "held against `SCHEMA` before the rows are read")]
    pub schema: u32,
    /// Where the facts come from.
    pub sources: SourceTexts,
    /// The floors, oldest release first.
    pub floor: Vec<CudnnFloor>,
}

/// What cuDNN runs on from a release on.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CudnnFloor {
    /// From this release of cuDNN on.
    pub from: Version,
    /// The CUDA releases the row is for, where it is not for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cuda: Option<VersionSpecifiers>,
    /// Cards below this capability are not served.
    pub capability: ComputeCapability,
    /// The highest capability it is listed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<ComputeCapability>,
    /// The lowest Linux driver it is listed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux: Option<DriverVersion>,
    /// The lowest Windows driver it is listed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<DriverVersion>,
    /// Where the row comes from.
    pub source: Vec<String>,
}
