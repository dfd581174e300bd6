//! A wheel in the cache.

use std::path::PathBuf;

use crate::vocab::{Sha256, WheelName};

/// A wheel whose every byte was verified, unpacked in the cache as it lies in its ZIP.
#[derive(Debug, Clone, PartialEq)]
pub struct UnpackedWheel {
    /// Its file name.
    pub file_name: WheelName,
    /// What the whole wheel hashes to: found, and equal to what was expected where something was.
    pub sha256: Sha256,
    /// The folder of the tree.
    pub root: PathBuf,
    /// The name of its `*.dist-info` folder.
    pub dist_info: String,
    /// Its files, in the order of the ZIP, RECORD among them, folders not.
    pub files: Vec<UnpackedFile>,
    /// Bytes fetched over the network for it in this run; 0 for a hit in the cache.
    pub bytes_fetched: u64,
}

/// One file of an unpacked wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpackedFile {
    /// Its path in the wheel, `/` between components: checked, relative, without `..`.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Whether the ZIP marks it executable.
    pub executable: bool,
    /// Its hash field as RECORD writes it, `sha256=…`; empty for RECORD itself and its signatures.
    pub record_hash: String,
}
