//! How far a wheel was unpacked, kept beside its staged files.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::hasher::Hasher;
use super::known::Identity;
use crate::vocab::Sha256;

/// The name of the file in a wheel's staging folder.
const FILE: &str = "checkpoint.json";
const VERSION: u32 = 1;

/// A place in a wheel from which unpacking goes on: all before it is staged and hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    version: u32,
    /// The size of the wheel.
    pub(super) size: u64,
    /// What the server said the wheel is.
    pub(super) validator: Option<String>,
    /// The hash of the wheel's tail from its central directory on.
    pub(super) directory: Sha256,
    /// The place, in bytes of the wheel.
    pub(super) offset: u64,
    /// The state of the wheel's hash at that place.
    pub(super) hasher: String,
    /// How many entries are staged whole.
    pub(super) entries: usize,
    /// The place in the entry after these, when it is not at its begin.
    pub(super) inside: Option<Inside>,
}

/// A place inside the data of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inside {
    /// Where the entry's data ends, in bytes of the wheel.
    pub(super) data_end: u64,
    /// How many bits of the byte before the place belong to what follows.
    pub(super) bits: u8,
    /// These bits.
    pub(super) value: u8,
    /// How many bytes of the entry's file are staged.
    pub(super) produced: u64,
    /// Their CRC-32.
    pub(super) crc32: u32,
}

impl Checkpoint {
    /// A place, for the wheel that is told by the first three.
    pub(super) fn new(
        (size, validator, directory): Identity,
        offset: u64,
        hasher: &Hasher,
        entries: usize,
        inside: Option<Inside>,
    ) -> Self {
        Self { version: VERSION, size, validator, directory, offset, hasher: hasher.save(), entries, inside }
    }

    /// Whether this is a place in the wheel that is told by these.
    pub(super) fn is_of(&self, size: u64, validator: Option<&str>, directory: Sha256) -> bool {
        // A server that stopped sending a validator has not changed the file.
        let same = self.validator.as_deref().zip(validator).is_none_or(|(then, now)| then == now);
        self.size == size && self.directory == directory && same
    }

    /// The checkpoint in a staging folder; `None` when there is none that can be used.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let text = fs_err::read(folder.join(FILE)).ok()?;
        let checkpoint: Self = serde_json::from_slice(&text).ok()?;
        (checkpoint.version == VERSION).then_some(checkpoint)
    }

    /// Writes it beside its place and renames it: a reader sees this one or the one before.
    pub(super) fn write(&self, folder: &Path) -> std::io::Result<()> {
        let new = folder.join("checkpoint.new");
        fs_err::write(&new, serde_json::to_vec(self)?)?;
        fs_err::rename(new, folder.join(FILE))
    }

    /// Removes it, before what it speaks of goes.
    pub(super) fn remove(folder: &Path) -> std::io::Result<()> {
        match fs_err::remove_file(folder.join(FILE)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}
