//! The few operations on files that a transaction is made of, behind a trait: tests make any of them fail.

use std::io::{self, Write as _};
use std::path::Path;

use crate::host::{self, is_in_use};

/// The operations that change an environment; each is the real file system's unless a test says otherwise.
pub trait Files: Sync {
    /// Renames a file or a folder; nothing is at `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        host::rename(from, to)
    }

    /// Makes a folder and its parents.
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs_err::create_dir_all(path)
    }

    /// Writes a file that outlives a loss of power.
    fn write_durably(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = fs_err::File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Removes a file; one that is not there is removed already.
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        unless_missing(fs_err::remove_file(path).or_else(|error| {
            // Windows refuses to remove what is only marked so; elsewhere the folder's mode decides.
            if !cfg!(windows) || error.kind() != io::ErrorKind::PermissionDenied {
                return Err(error);
            }
            let mut permissions = fs_err::metadata(path)?.permissions();
            if !permissions.readonly() {
                return Err(error);
            }
            #[allow(clippy::permissions_set_readonly_false, reason = "an attribute on Windows, no mode")]
            permissions.set_readonly(false);
            fs_err::set_permissions(path, permissions)?;
            fs_err::remove_file(path)
        }))
    }

    /// Removes a folder and what is in it, following no link; one that is not there is removed already.
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        unless_missing(fs_err::remove_dir_all(path))
    }

    /// Whether a running program has loaded this library or program, which keeps the folders above it where they are.
    fn is_loaded(&self, path: &Path) -> bool {
        // Windows lets nobody write what is loaded; elsewhere that keeps nothing from being moved.
        cfg!(windows) && fs_err::OpenOptions::new().write(true).open(path).is_err_and(|error| is_in_use(&error))
    }
}

/// The real file system.
#[derive(Debug)]
pub struct Disk;

impl Files for Disk {}

/// Makes the folder that `path` is to lie in.
pub fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs_err::create_dir_all)
}

fn unless_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
