//! One process at a time for each wheel of the cache.

use std::fs::TryLockError;
use std::path::Path;
use std::time::Duration;

use super::{CacheError, WheelError};
use crate::fetch::Stop;

/// Holds a wheel's lock until dropped; the system frees it when the process dies.
#[derive(Debug)]
pub(super) struct WheelLock {
    _file: fs_err::File,
}

impl WheelLock {
    /// Takes the lock, waiting for whoever has it; `waiting` is called once when there is someone.
    pub(super) fn take(path: &Path, stop: &Stop, waiting: impl FnOnce()) -> Result<Self, WheelError> {
        const LOOK: Duration = Duration::from_millis(50);
        let mut waiting = Some(waiting);
        loop {
            if let Some(lock) = Self::attempt(path)? {
                return Ok(lock);
            }
            if stop.requested() {
                return Err(WheelError::Interrupted);
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Takes the lock if nobody has it.
    pub(super) fn attempt(path: &Path) -> Result<Option<Self>, CacheError> {
        let failed = |source| CacheError::Lock { path: path.to_owned(), source };
        let file = fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)?;
        match file.file().try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}
