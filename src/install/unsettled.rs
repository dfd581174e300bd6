//! The word that libraries were changed, and nobody has looked yet at whether they are found.

use std::io;
use std::path::Path;

use super::error::InstallError;
use super::files::make_parent;
use crate::venv::OWN_FOLDER;

/// Relative to the environment: a file that stands from a change of libraries to when torchfix has looked at whether
/// they are found.
pub(super) fn unsettled_path() -> String {
    format!("{OWN_FOLDER}/unsettled")
}

pub(super) fn write_unsettled(root: &Path) -> io::Result<()> {
    let path = root.join(unsettled_path());
    make_parent(&path)?;
    fs_err::write(path, "")
}

/// Whether libraries were changed and nobody has looked yet at whether they are found, since the process ended there.
pub fn is_unsettled(root: &Path) -> bool {
    root.join(unsettled_path()).exists()
}

/// Notes that somebody has.
pub fn settled(root: &Path) -> Result<(), InstallError> {
    match fs_err::remove_file(root.join(unsettled_path())) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
