//! An environment changes whole or not at all, whenever the process ends.
//!
//! Under `<environment>/.torchfix/transaction/` lie `new` (what comes, built beside its place), `old` (what goes, once
//! it is put away) and the journal, which names the renames between them and the environment. Before the journal is
//! written nothing of the environment has changed. Each of its renames shows whether it was done by which of its two
//! ends exists, so they can be undone at any point, and undoing can itself be interrupted and begun again. The change is
//! made when the journal becomes `committed`; what is left then is to clear away.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::InstallError;
use super::files::{Disk, Files};
use super::in_use::{explained, is_in_use};
use super::lock_file::LockFile;
use super::moves::{Moves, is_plain};
use crate::progress::Reporter;
use crate::venv::{LOCK_NAME, OWN_FOLDER};

/// What an interrupted change left, and became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// Nothing was left.
    Nothing,
    /// It was undone: the environment is as before.
    RolledBack,
    /// It was complete but for the clearing away: the environment is as after.
    Completed,
}

/// Brings an environment in which a change was interrupted to the state before it, or after it where it was complete.
///
/// A change that another torchfix is making right now is waited for.
pub fn recover(root: &Path, interrupted: &AtomicBool, reporter: &dyn Reporter) -> Result<Recovered, InstallError> {
    let places = Places::of(root);
    if !places.folder.exists() && !places.in_use.exists() {
        return Ok(Recovered::Nothing);
    }
    let _lock = LockFile::acquire(&places.lock, interrupted, reporter)?;
    places.recover(&Disk)
}

/// A change of one environment, which is undone when it is dropped before it is committed.
pub struct Transaction<'a> {
    places: Places,
    files: &'a dyn Files,
    _lock: LockFile,
    is_open: bool,
}

impl<'a> Transaction<'a> {
    /// Begins a change, after recovering from one that was interrupted and waiting for one that is under way.
    pub fn begin(
        root: &Path,
        files: &'a dyn Files,
        interrupted: &AtomicBool,
        reporter: &dyn Reporter,
    ) -> Result<Self, InstallError> {
        let places = Places::of(root);
        files.create_folder(&places.home)?;
        let lock = LockFile::acquire(&places.lock, interrupted, reporter)?;
        places.recover(files)?;
        let transaction = Self { places, files, _lock: lock, is_open: true };
        transaction.files.create_folder(&transaction.places.new)?;
        Ok(transaction)
    }

    /// The folder in which what comes is built, by its paths relative to the environment.
    pub fn staging(&self) -> &Path {
        &self.places.new
    }

    /// Makes the change.
    pub fn commit(mut self, moves: &Moves, interrupted: &AtomicBool) -> Result<(), InstallError> {
        let places = &self.places;
        let journal = serde_json::to_vec(moves).map_err(io::Error::from)?;
        self.files.write_durably(&places.draft, &journal)?;
        self.files.rename(&places.draft, &places.journal)?;
        for path in &moves.away {
            stop_if(interrupted)?;
            let old = places.old.join(path);
            if let Some(folder) = old.parent() {
                self.files.create_folder(folder)?;
            }
            let target = places.root.join(path);
            self.files.rename(&target, &old).map_err(|error| explained(&target, error))?;
        }
        for path in &moves.place {
            stop_if(interrupted)?;
            self.files.rename(&places.new.join(path), &places.root.join(path))?;
        }
        self.files.rename(&places.journal, &places.committed)?;
        self.is_open = false;
        // The change is made; what cannot be cleared away now is by the next run.
        let _ = places.clear(self.files);
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // What cannot be undone now is by the next run, which says so if it cannot either.
            let _ = self.places.recover(self.files);
        }
    }
}

fn stop_if(interrupted: &AtomicBool) -> Result<(), InstallError> {
    if interrupted.load(Ordering::Relaxed) { Err(InstallError::Interrupted) } else { Ok(()) }
}

/// A journal names folders and files in coarse strokes: real ones are a few kilobytes.
const JOURNAL_LIMIT: u64 = 64 << 20;

/// Where a transaction keeps its things.
struct Places {
    root: PathBuf,
    home: PathBuf,
    lock: PathBuf,
    folder: PathBuf,
    new: PathBuf,
    old: PathBuf,
    stray: PathBuf,
    /// What could not be removed yet, for a program had loaded it.
    in_use: PathBuf,
    draft: PathBuf,
    journal: PathBuf,
    committed: PathBuf,
}

impl Places {
    fn of(root: &Path) -> Self {
        let home = root.join(OWN_FOLDER);
        let folder = home.join("transaction");
        Self {
            root: root.to_owned(),
            lock: home.join(LOCK_NAME),
            new: folder.join("new"),
            old: folder.join("old"),
            stray: folder.join("stray"),
            in_use: home.join("in-use"),
            draft: folder.join("journal.draft"),
            journal: folder.join("journal"),
            committed: folder.join("committed"),
            folder,
            home,
        }
    }

    /// Undoes what the journal names, or clears away what a complete change left.
    fn recover(&self, files: &dyn Files) -> Result<Recovered, InstallError> {
        // Whoever uses it still will have ended by another time.
        let _ = files.remove_tree(&self.in_use);
        if !exists(&self.folder)? {
            return Ok(Recovered::Nothing);
        }
        if exists(&self.committed)? {
            self.clear(files)?;
            return Ok(Recovered::Completed);
        }
        if let Some(moves) = self.read_journal()? {
            self.undo(&moves, files)?;
            // From here on `new` and `old` hold nothing of the environment's.
            files.remove_file(&self.journal)?;
        }
        self.clear(files)?;
        Ok(Recovered::RolledBack)
    }

    fn undo(&self, moves: &Moves, files: &dyn Files) -> Result<(), InstallError> {
        for path in moves.place.iter().rev() {
            let (new, target) = (self.new.join(path), self.root.join(path));
            if !exists(&new)? && exists(&target)? {
                files.rename(&target, &new)?;
            }
        }
        for (index, path) in moves.away.iter().enumerate().rev() {
            let (old, target) = (self.old.join(path), self.root.join(path));
            if !exists(&old)? {
                continue;
            }
            if exists(&target)? {
                // Made in the meantime by something else, such as a running Python that compiled a module.
                files.create_folder(&self.stray)?;
                let stray = self.stray.join(index.to_string());
                files.remove_tree(&stray)?;
                files.rename(&target, &stray)?;
            }
            if let Some(folder) = target.parent() {
                files.create_folder(folder)?;
            }
            files.rename(&old, &target)?;
        }
        Ok(())
    }

    /// Removes the transaction's folder, the word that it is committed last.
    fn clear(&self, files: &dyn Files) -> Result<(), InstallError> {
        for folder in [&self.old, &self.new, &self.stray] {
            match files.remove_tree(folder) {
                Err(error) if is_in_use(&error) || error.kind() == io::ErrorKind::PermissionDenied => {
                    self.put_aside(folder, files)?;
                    files.remove_tree(folder)?;
                }
                done => done?,
            }
        }
        files.remove_file(&self.draft)?;
        files.remove_file(&self.committed)?;
        files.remove_tree(&self.folder)?;
        Ok(())
    }

    /// Removes what can be removed of a folder, and moves the rest to where it waits for its programs to end.
    fn put_aside(&self, folder: &Path, files: &dyn Files) -> io::Result<()> {
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                self.put_aside(&entry.path(), files)?;
                continue;
            }
            if files.remove_file(&entry.path()).is_ok() {
                continue;
            }
            files.create_folder(&self.in_use)?;
            let taken = |number: &u32| fs_err::symlink_metadata(self.in_use.join(number.to_string())).is_ok();
            let number = (0..=u32::MAX).find(|number| !taken(number)).unwrap_or_default();
            files.rename(&entry.path(), &self.in_use.join(number.to_string()))?;
        }
        Ok(())
    }

    fn read_journal(&self) -> Result<Option<Moves>, InstallError> {
        let file = match fs_err::File::open(&self.journal) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let refused = |reason: String| InstallError::Journal { path: self.journal.clone(), reason };
        let mut bytes = Vec::new();
        file.take(JOURNAL_LIMIT).read_to_end(&mut bytes)?;
        let moves: Moves = serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string()))?;
        // What it names is moved, so it is held to what torchfix writes.
        match moves.away.iter().chain(&moves.place).find(|path| !is_plain(path)) {
            Some(path) => Err(refused(format!("it names `{path}`"))),
            None => Ok(Some(moves)),
        }
    }
}

/// Whether something is there, be it a link to nothing.
fn exists(path: &Path) -> io::Result<bool> {
    match fs_err::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "transaction_tests.rs"]
mod tests;
