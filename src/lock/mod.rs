//! What is to be installed, down to the file: the resolution pinned.

use crate::vocab::{PackageName, Sha256, Url, Version, WheelName};

/// One wheel, pinned: where it comes from and what its bytes must hash to.
#[derive(Debug, Clone, PartialEq)]
pub struct LockedWheel {
    /// The distribution.
    pub name: PackageName,
    /// Its version, local label included.
    pub version: Version,
    /// The wheel's file name.
    pub file_name: WheelName,
    /// Where it is fetched; `file:` for one that lies on this machine.
    pub url: Url,
    /// What its bytes hash to; `None` when no one says.
    pub sha256: Option<Sha256>,
    /// Its size in bytes, where the index says.
    pub size: Option<u64>,
    /// Whether the user asked for it by name.
    pub requested: bool,
    /// Whether the user gave this URL (PEP 508 `name @ url`): `direct_url.json` is written then.
    pub direct: bool,
    /// In a few words, what brought it in: `torch 2.9.1+cu128 needs it`.
    pub why: String,
}

impl LockedWheel {
    /// Name and version as messages write them: `torch 2.9.1+cu128`.
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}
