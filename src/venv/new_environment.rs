//! A new environment that goes again when nothing came of it.

use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};

use super::VenvError;
use super::contents::Item;

/// The folder in an environment where torchfix keeps its own things.
pub(crate) const OWN_FOLDER: &str = ".torchfix";

/// The lock in that folder: who holds it changes the environment.
pub(crate) const LOCK_NAME: &str = "lock";

/// What making an environment came to.
#[derive(Debug)]
pub enum Created {
    /// It was made.
    New(NewEnvironment),
    /// One appeared at this place in the meantime, made by somebody else; it was left as it is.
    AlreadyThere,
}

/// An environment that was made by this process: it is removed again when this is dropped, unless it is kept.
///
/// Only what was made with it is ever removed. Once anything else is in it, or another torchfix is changing it, it
/// stays whole.
#[derive(Debug)]
#[must_use = "the environment is removed when this is dropped"]
pub struct NewEnvironment {
    made: Option<Made>,
}

/// What was made.
#[derive(Debug)]
pub(super) struct Made {
    /// The environment, its links resolved.
    pub root: PathBuf,
    /// Whether its folder was there before, empty.
    pub folder_was_there: bool,
    /// The folders above that were made with it, the innermost first.
    pub parents: Vec<PathBuf>,
    /// What was put into it.
    pub items: Vec<Item>,
}

impl NewEnvironment {
    pub(super) fn of(made: Made) -> Self {
        Self { made: Some(made) }
    }

    /// Leaves the environment where it is.
    pub fn keep(mut self) {
        self.made = None;
    }

    /// Removes the environment; `false` where it stays because it is no longer what was made.
    pub fn remove(mut self) -> Result<bool, VenvError> {
        match self.made.take() {
            Some(made) => Ok(made.remove()?),
            None => Ok(false),
        }
    }
}

impl Drop for NewEnvironment {
    fn drop(&mut self) {
        if let Some(made) = self.made.take() {
            // An environment that cannot be removed now is an empty one, which the next run fills.
            let _ = made.remove();
        }
    }
}

impl Made {
    fn remove(&self) -> io::Result<bool> {
        let own = self.root.join(OWN_FOLDER);
        let lock = match fs_err::OpenOptions::new().write(true).open(own.join(LOCK_NAME)) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        // Held to the end, so that nobody begins to fill what goes.
        match lock.as_ref().map(|file| file.file().try_lock()) {
            None | Some(Ok(())) => {}
            Some(Err(TryLockError::WouldBlock)) => return Ok(false),
            Some(Err(TryLockError::Error(error))) if error.kind() == io::ErrorKind::Unsupported => {}
            Some(Err(TryLockError::Error(error))) => return Err(error),
        }
        if !self.is_as_made()? {
            return Ok(false);
        }
        if self.folder_was_there || !self.move_away_and_remove() {
            self.remove_in_place()?;
        }
        for folder in &self.parents {
            // Another program may use it by now.
            if fs_err::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(true)
    }

    /// Whether everything below the root was made with it.
    fn is_as_made(&self) -> io::Result<bool> {
        let items: BTreeMap<PathBuf, &Item> =
            self.items.iter().map(|item| (self.root.join(item.path()), item)).collect();
        let own = self.root.join(OWN_FOLDER);
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(&folder)? {
                let entry = entry?;
                let (path, kind) = (entry.path(), entry.file_type()?);
                if kind.is_dir() {
                    if path != own && !items.keys().any(|made| made.starts_with(&path)) {
                        return Ok(false);
                    }
                    folders.push(path);
                    continue;
                }
                let as_made = match items.get(&path) {
                    Some(item) => item.is_at(&path)?,
                    None => kind.is_file() && path == own.join(LOCK_NAME),
                };
                if !as_made {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Takes the whole folder away at once; `false` where it cannot be moved.
    fn move_away_and_remove(&self) -> bool {
        let Some(beside) = self.root.parent() else { return false };
        let Ok(away) = tempfile::Builder::new().prefix(".torchfix-venv-").tempdir_in(beside) else { return false };
        fs_err::rename(&self.root, away.path().join("venv")).is_ok()
    }

    /// Empties the folder; `pyvenv.cfg`, which makes it an environment, goes last.
    fn remove_in_place(&self) -> io::Result<()> {
        let mut entries: Vec<_> = fs_err::read_dir(&self.root)?.collect::<io::Result<_>>()?;
        entries.sort_by_key(|entry| entry.file_name() == "pyvenv.cfg");
        for entry in entries {
            if entry.file_type()?.is_dir() {
                fs_err::remove_dir_all(entry.path())?;
            } else {
                fs_err::remove_file(entry.path())?;
            }
        }
        if self.folder_was_there { Ok(()) } else { fs_err::remove_dir(&self.root) }
    }
}

/// The folders above `root` that are not there yet, the innermost first.
pub(super) fn missing_parents(root: &Path) -> Vec<PathBuf> {
    let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && fs_err::symlink_metadata(folder).is_err();
    root.ancestors().skip(1).take_while(is_missing).map(Path::to_owned).collect()
}
