//! Free space of a file system.

use std::path::Path;

/// Bytes that this user can still write under `path`; `None` where the system does not say.
pub(super) fn free(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let status = rustix::fs::statvfs(path).ok()?;
        status.f_bavail.checked_mul(status.f_frsize)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}
