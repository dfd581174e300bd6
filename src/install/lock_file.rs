//! One torchfix at a time in an environment.

use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::InstallError;
use crate::progress::Reporter;

/// An environment locked until this is dropped, or the process ends however it ends.
#[derive(Debug)]
pub struct LockFile {
    _file: fs_err::File,
}

impl LockFile {
    /// Locks, waiting for another torchfix to finish; the file stays afterwards, as removing it would let two in.
    pub fn acquire(path: &Path, interrupted: &AtomicBool, reporter: &dyn Reporter) -> Result<Self, InstallError> {
        let file = fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        let mut waited = false;
        loop {
            match file.file().try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => {
                    if !waited {
                        reporter.warning("another torchfix is changing this environment: waiting for it");
                    }
                    waited = true;
                    if interrupted.load(Ordering::Relaxed) {
                        return Err(InstallError::Interrupted);
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
                // Some network file systems have no locks: one torchfix alone is the common case there too.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    reporter.warning("this file system has no locks: run one torchfix at a time here");
                    return Ok(Self { _file: file });
                }
                Err(TryLockError::Error(error)) => {
                    return Err(
                        io::Error::new(error.kind(), format!("cannot lock `{}`: {error}", path.display())).into()
                    );
                }
            }
        }
    }
}
