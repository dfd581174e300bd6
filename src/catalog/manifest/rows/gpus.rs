//! `gpus.toml`.

use serde::{Deserialize, Serialize};

use super::SourceTexts;
use crate::vocab::ComputeCapability;

/// `gpus.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuFile {
    /// The form of the file.
    #[allow(dead_code, reason = "held against `SCHEMA` before the rows are read")]
    pub schema: u32,
    /// Where the facts come from.
    pub sources: SourceTexts,
    /// Every GPU.
    pub gpu: Vec<GpuRow>,
}

/// One GPU model.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GpuRow {
    /// Its marketing name, without `NVIDIA`.
    pub name: String,
    /// Its compute capability.
    pub capability: ComputeCapability,
    /// Its chip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
