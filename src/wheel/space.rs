//! Free space of a file system.

use std::path::Path;

/// A file system and how full it is; on Windows nothing is known of any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystem {
    /// Bytes that this user can still write.
    pub free: u64,
    total: u64,
    device: u64,
}

impl FileSystem {
    /// The one that `path` is on, or would be on once it is made; `None` where the system does not say.
    pub fn of(path: &Path) -> Option<Self> {
        let path = path.ancestors().find(|path| path.exists())?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let status = rustix::fs::statvfs(path).ok()?;
            let bytes = |blocks: u64| blocks.checked_mul(status.f_frsize);
            let device = fs_err::metadata(path).ok()?.dev();
            Some(Self { free: bytes(status.f_bavail)?, total: bytes(status.f_blocks)?, device })
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            None
        }
    }

    /// Whether what is written to one is room that the other lacks: the parts of a pool have devices of their own.
    pub fn shares_room_with(&self, other: &Self) -> bool {
        self.device == other.device || (self.total, self.free) == (other.total, other.free)
    }
}

/// Bytes that this user can still write under `path`; `None` where the system does not say.
pub(super) fn free(path: &Path) -> Option<u64> {
    FileSystem::of(path).map(|system| system.free)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_is_on_its_parent_s() {
        let folder = tempfile::tempdir().unwrap();
        let [there, not_yet] = [folder.path(), &folder.path().join("a/b")].map(|path| FileSystem::of(path).unwrap());
        assert!(there.shares_room_with(&not_yet) && there.total >= there.free);
    }
}
