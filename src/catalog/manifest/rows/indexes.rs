//! `indexes.toml`.

use serde::{Deserialize, Serialize};

use super::SourceTexts;
use crate::vocab::{Channel, Url, Variant};

/// `indexes.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexFile {
    /// The form of the file.
    #[allow(dead_code, reason = "held against `SCHEMA` before the rows are read")]
    pub schema: u32,
    /// Where the facts come from.
    pub sources: SourceTexts,
    /// The default index.
    pub default: DefaultIndex,
    /// The PyTorch index.
    pub torch: TorchIndex,
    /// The names of torch's family.
    pub family: FamilyNames,
}

/// The default index.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultIndex {
    /// Its root.
    pub url: Url,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// The PyTorch index.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TorchIndex {
    /// Its root: stable pages lie at `<url>/<variant>/<project>/`.
    pub url: Url,
    /// The hosts that serve the same files under the same paths.
    pub hosts: Vec<String>,
    /// Its channels.
    #[serde(default)]
    pub channel: Vec<TorchChannel>,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// One channel of the PyTorch index.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TorchChannel {
    /// Which one.
    pub name: Channel,
    /// What stands between the index's root and the variant; empty for `stable`.
    pub path: String,
    /// The variants it has, or had.
    pub variants: Vec<Variant>,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// The names of torch's family; a `*` at the end stands for any rest.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyNames {
    /// Built against one torch and one CUDA line.
    pub built_for_torch: Vec<String>,
    /// Of these, those whose versions name no variant wherever they come from.
    #[serde(default)]
    pub unlabelled: Vec<String>,
    /// The same wheel for every variant.
    pub shared: Vec<String>,
    /// Where the row comes from.
    pub source: Vec<String>,
}
