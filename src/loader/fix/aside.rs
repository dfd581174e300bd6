//! What is taken out of torch's `lib` folder: only what no distribution brought, and all that a problem needs or none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Decision, Fix, push};
use crate::catalog::manifest::matches_name;
use crate::loader::load_report::{LibraryCopy, LibraryReport};
use crate::loader::problem::{Problem, VersionedFile, file_name, folded, is_same_path};
use crate::pe::PeFault;
use crate::vocab::FileVersion;

impl Decision<'_> {
    /// Takes away the DLLs that cause a problem, where that can be done; whether the problem goes with them.
    pub(super) fn put_aside(&mut self, problem: &Problem) -> bool {
        // Each with whether what imports it cannot be loaded either.
        let at_fault: Vec<(&PathBuf, bool)> = match problem {
            Problem::Unloadable { fault: PeFault::TooMuch { .. }, .. } => return false,
            Problem::Unloadable { path, .. } | Problem::WrongMachine { path, .. } => vec![(path, true)],
            Problem::ExportMissing { provider, by, .. } => vec![(provider, false), (by, true)],
            // What can be brought to it is better brought.
            Problem::Missing { name, by } if !self.can_bring(name) => vec![(by, true)],
            Problem::LookupMissing { name, by } if !self.can_bring(name) => vec![(by, false)],
            Problem::LoadedTwice { first, second, .. } => [second, first]
                .into_iter()
                .filter(|path| !self.is_needed(path, &[]))
                .map(|path| (path, false))
                .collect(),
            Problem::MixedVersions { files, .. } => return self.put_strangers_aside(problem, files),
            _ => return false,
        };
        let ways: Vec<_> = at_fault.into_iter().filter_map(|(path, fails)| self.going(path, fails)).collect();
        ways.iter().any(|going| self.take_away(problem, going))
    }

    /// DLLs of another version than those that stay, or than all that can be brought.
    fn put_strangers_aside(&mut self, problem: &Problem, files: &[VersionedFile]) -> bool {
        let (strangers, others): (Vec<_>, Vec<_>) = files.iter().partition(|file| self.may_go(&file.path));
        let mut versions: BTreeSet<FileVersion> = others.iter().map(|file| file.version).collect();
        versions.extend(strangers.iter().filter_map(|file| self.copy(&file_name(&file.path))?.version));
        let (Some(right), true) = (versions.first(), versions.len() == 1) else { return false };
        let wrong = strangers.into_iter().filter(|file| file.version != *right);
        let going: Vec<PathBuf> = wrong.map(|file| file.path.clone()).collect();
        let is_lost = |path: &PathBuf| self.replacement(path).is_none() && self.is_needed(path, &going);
        !going.is_empty() && !going.iter().any(is_lost) && self.take_away(problem, &going)
    }

    /// What goes with a DLL: all that imports it, where it cannot be loaded and nothing comes in its place. `None` where
    /// something of that must stay.
    fn going(&self, path: &Path, fails: bool) -> Option<Vec<PathBuf>> {
        let mut going = vec![path.to_owned()];
        let mut next = 0;
        while let Some(path) = going.get(next).cloned() {
            next += 1;
            if !self.may_go(&path) {
                return None;
            }
            if self.replacement(&path).is_some() {
                continue;
            }
            if self.is_needed_by_linked(&file_name(&path)) || !fails && self.is_needed(&path, &going) {
                return None;
            }
            let importers: Vec<PathBuf> = self.importers(&path, &going).map(|library| library.path.clone()).collect();
            // What came in the place of one of them would need it as well.
            if importers.iter().any(|importer| self.replacement(importer).is_some()) {
                return None;
            }
            going.extend(importers);
        }
        Some(going)
    }

    /// Puts all of these aside, and others in the place of those that are needed; or changes nothing.
    fn take_away(&mut self, problem: &Problem, going: &[PathBuf]) -> bool {
        let before = (self.aside.len(), self.complete.clone(), self.explained.clone());
        for path in going {
            if self.is_replaced_in_place(path) {
                continue;
            }
            let whose = if self.is_added(path) { "is torchfix's own" } else { "came with no distribution" };
            let why = format!("{problem}; `{}` {whose} and is put out of the way", path.display());
            push(
                &mut self.aside,
                Fix::Aside { path: path.clone(), why },
                |known| matches!(known, Fix::Aside { path: known, .. } if is_same_path(known, path)),
            );
        }
        let brought = going.iter().filter(|path| {
            self.replacement(path).is_some() && (self.is_replaced_in_place(path) || self.is_needed(path, going))
        });
        let names: Vec<String> = brought.map(|path| file_name(path)).collect();
        let is_done = names.iter().all(|name| self.complete(name, problem).is_ok());
        if !is_done {
            self.aside.truncate(before.0);
            (self.complete, self.explained) = (before.1, before.2);
        }
        is_done
    }

    /// Whether there is a DLL of this name to be put into torch's `lib` folder.
    fn can_bring(&self, name: &str) -> bool {
        self.facts.runtime(name).is_some() || !self.matching(name).is_empty()
    }

    /// Whether a file is no distribution's, nor a part of the C runtime, which is replaced in another way.
    fn may_go(&self, path: &Path) -> bool {
        (self.is_foreign(path) || self.is_added(path)) && self.facts.runtime(&file_name(path)).is_none()
    }

    /// What can come in the place of a file: what is the same would change nothing.
    fn replacement(&self, path: &Path) -> Option<&LibraryCopy> {
        self.copy(&file_name(path)).filter(|copy| !copy.in_lib_too)
    }

    /// Whether torchfix put a DLL there that is no longer the environment's: it is put there anew.
    fn is_replaced_in_place(&self, path: &Path) -> bool {
        self.is_added(path) && self.replacement(path).is_some()
    }

    pub(super) fn is_put_aside(&self, name: &str) -> bool {
        self.aside.iter().any(|fix| matches!(fix, Fix::Aside { path, .. } if file_name(path) == name))
    }

    fn is_foreign(&self, path: &Path) -> bool {
        self.report.surroundings.foreign.iter().any(|foreign| is_same_path(foreign, path))
    }

    /// Whether torchfix put a file there.
    pub(super) fn is_added(&self, path: &Path) -> bool {
        self.report.surroundings.added.iter().any(|added| is_same_path(added, path))
    }

    /// Whether a DLL that stays or is linked imports this one, or looks it up and does not work without.
    fn is_needed(&self, path: &Path, going: &[PathBuf]) -> bool {
        let name = file_name(path);
        let looks_up = |library: &LibraryReport| {
            let needed = |pattern: &String| matches_name(pattern, &name);
            self.facts.lookups(&file_name(&library.path)).any(|row| !row.optional && row.names.iter().any(needed))
        };
        self.importers(path, going).next().is_some()
            || self.staying(going).any(looks_up)
            || self.is_needed_by_linked(&name)
    }

    /// Whether a DLL that is linked needs this one.
    fn is_needed_by_linked(&self, name: &str) -> bool {
        let mut linked = self.linked.iter().filter_map(|linked| self.copy(linked));
        linked.any(|copy| copy.needs.iter().any(|need| need == name))
    }

    /// The DLLs that stay and import this one.
    fn importers<'a>(&'a self, path: &'a Path, going: &'a [PathBuf]) -> impl Iterator<Item = &'a LibraryReport> {
        let name = file_name(path);
        self.staying(going).filter(move |library| {
            library.needs.iter().any(|need| match &need.path {
                Some(found) => is_same_path(found, path),
                None => folded(&need.name) == name,
            })
        })
    }

    fn staying<'a>(&'a self, going: &'a [PathBuf]) -> impl Iterator<Item = &'a LibraryReport> {
        let goes = |path: &Path| {
            let is_this = |fix: &Fix| matches!(fix, Fix::Aside { path: aside, .. } if is_same_path(aside, path));
            going.iter().any(|going| is_same_path(going, path)) || self.aside.iter().any(is_this)
        };
        self.report.libraries.iter().filter(move |library| !goes(&library.path))
    }
}
