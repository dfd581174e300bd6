//! After a change of libraries: what the loader would not find is put where it looks.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::session::Session;
use crate::catalog::Manifests;
use crate::error::Error;
use crate::install::{self, AddedFrom, Additions, Amended, Amendment, Hook, InstallError, LinkMode};
use crate::loader::{self, Fix, Fixes, LoadReport, Predicted, StaticRequest};
use crate::machine::Machine;
use crate::report::Bars;
use crate::venv::{Environment, Scheme};
use crate::vocab::{joined, slashed};
use crate::wheel::UnpackedWheel;

/// What was done about the search path.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct SearchPath {
    /// What was wrong and was mended, a sentence each.
    pub fixed: Vec<String>,
    /// What is wrong still, and why nothing here helps, a sentence each.
    pub left: Vec<String>,
    /// How `import torch` ends, where it fails all the same.
    pub prediction: Option<Predicted>,
}

/// What fixes need from outside.
pub(super) struct Workshop<'a> {
    pub session: &'a Session,
    pub manifests: &'a Manifests,
    pub machine: &'a Machine,
    pub link_mode: LinkMode,
    /// Gets the wheel of a distribution, unpacked in the cache.
    pub bring: &'a dyn Fn(&str) -> Result<UnpackedWheel, Error>,
}

/// Models what the system's loader does with the libraries of `environment`.
pub(super) fn model(
    session: &Session,
    manifests: &Manifests,
    machine: &Machine,
    environment: &Environment,
) -> Result<LoadReport, Error> {
    let scheme = &environment.scheme;
    let folders: Vec<PathBuf> = scheme.site_packages().into_iter().map(Path::to_owned).collect();
    let Additions { files: own, hook: Hook { folders: added, preloads }, .. } = Additions::read(&scheme.root)?;
    let own: Vec<PathBuf> = own.keys().map(|path| joined(&scheme.root, path)).collect();
    let in_site = |paths: Vec<String>| paths.iter().map(|path| joined(&scheme.purelib, path)).collect::<Vec<_>>();
    let (added_folders, preloads) = (in_site(added), in_site(preloads));
    let request = StaticRequest {
        added_folders: &added_folders,
        preloads: &preloads,
        own: &own,
        ..StaticRequest::new(&environment.interpreter.executable, &folders, manifests)
    };
    Ok(loader::check_static(&request, machine, &session.host)?)
}

/// Lets the loader find all of torch's libraries, as far as that can be done inside the environment.
///
/// Fixes that bring others to light are followed by those, a few times at most. What could not be had this time is tried
/// again by the next run.
pub(super) fn mend(workshop: &Workshop<'_>, environment: &Environment) -> Result<SearchPath, Error> {
    const MOST_ROUNDS: usize = 4;
    let mut result = SearchPath::default();
    let mut is_settled = true;
    for round in 0..=MOST_ROUNDS {
        let report = model(workshop.session, workshop.manifests, workshop.machine, environment)?;
        let Fixes { fixes, left } = loader::fixes(&report, workshop.manifests.dlls());
        result.left = left.iter().map(|left| format!("{}: {}", left.problem, left.why)).collect();
        result.prediction.clone_from(&report.prediction);
        if round == MOST_ROUNDS {
            result.left.extend(fixes.iter().map(|fix| fix.why().to_owned()));
            break;
        }
        let done = workshop.round(&report, fixes, &environment.scheme)?;
        result.left.extend(done.left);
        is_settled &= done.brought_all;
        let new: Vec<String> = done.fixed.into_iter().filter(|fixed| !result.fixed.contains(fixed)).collect();
        if new.is_empty() {
            break;
        }
        result.fixed.extend(new);
    }
    if is_settled {
        install::settled(&environment.scheme.root)?;
    }
    Ok(result)
}

impl SearchPath {
    /// Tells what was done and what was not.
    pub fn say(&self, session: &Session) {
        for fixed in &self.fixed {
            session.output.say(&format!("mended: {fixed}"));
        }
        for left in &self.left {
            session.output.warn(left);
        }
        if let Some(predicted) = &self.prediction {
            session.output.warn(&format!("`import torch` ends with {predicted}"));
        }
    }
}

/// What one round of fixes came to.
struct Round {
    fixed: Vec<String>,
    left: Vec<String>,
    /// Whether every wheel that a fix needs could be had.
    brought_all: bool,
}

impl Workshop<'_> {
    /// Makes the changes; says what was done, and what could not be.
    fn round(&self, report: &LoadReport, fixes: Vec<Fix>, scheme: &Scheme) -> Result<Round, Error> {
        let mut round = Round { fixed: Vec::new(), left: Vec::new(), brought_all: true };
        let Some(lib) = report.torch.as_ref().map(|torch| torch.join("lib")) else { return Ok(round) };
        let mut amendments: Vec<Amendment> = Vec::new();
        let mut brought: BTreeMap<String, Option<UnpackedWheel>> = BTreeMap::new();
        for fix in fixes {
            let whole = fix.why().to_owned();
            let amendment = match fix {
                Fix::Aside { path, why } => inside(scheme, &path).map(|path| Amendment::Aside { path, why }),
                Fix::Complete { name, from, why } => inside(scheme, &lib.join(name))
                    .zip(inside(scheme, &from))
                    .map(|(path, from)| Amendment::Add { path, from: AddedFrom::Environment(from), why }),
                Fix::CRuntime { name, wheel, why, .. } => {
                    let unpacked = match brought.entry(wheel) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(place) => {
                            let unpacked = (self.bring)(place.key());
                            if self.session.interrupted.load(Ordering::SeqCst) {
                                return Err(InstallError::Interrupted.into());
                            }
                            if let Err(error) = &unpacked {
                                round.brought_all = false;
                                round.left.push(format!("`{}` cannot be had: {}", place.key(), one_line(error)));
                            }
                            place.insert(unpacked.ok())
                        }
                    };
                    unpacked.as_ref().and_then(|unpacked| {
                        let from = AddedFrom::Elsewhere(file_named(unpacked, &name)?);
                        Some(Amendment::Add { path: inside(scheme, &lib.join(&name))?, from, why })
                    })
                }
            };
            match amendment {
                Some(amendment) => amendments.push(amendment),
                None => round.left.push(format!("this could not be done: {whole}")),
            }
        }
        if !amendments.is_empty() {
            self.amend(amendments, scheme, &mut round)?;
        }
        Ok(round)
    }

    fn amend(&self, amendments: Vec<Amendment>, scheme: &Scheme, round: &mut Round) -> Result<(), Error> {
        let bars = Bars::new(self.session.output);
        let _changing = self.session.changing();
        let make = |amendments: &[Amendment]| {
            install::amend(scheme, amendments, self.link_mode, &self.session.interrupted, &bars)
        };
        let mut done = amendments;
        if make(&done)? == Amended::NoLinks {
            done = instead_of_links(done, scheme, &mut round.left);
            // There are no links among them any more.
            make(&done)?;
        }
        bars.clear();
        round.fixed.extend(done.iter().map(|amendment| amendment.why().to_owned()));
        Ok(())
    }
}

/// What is done where files cannot be linked: Python itself looks for them before it imports torch.
fn instead_of_links(amendments: Vec<Amendment>, scheme: &Scheme, left: &mut Vec<String>) -> Vec<Amendment> {
    let site = scheme.purelib.strip_prefix(&scheme.root).map(slashed).unwrap_or_default();
    let (mut folders, mut preloads, mut rest) = (BTreeSet::new(), Vec::new(), Vec::new());
    for amendment in amendments {
        let Amendment::Add { from: AddedFrom::Environment(from), why, .. } = amendment else {
            rest.push(amendment);
            continue;
        };
        match from
            .strip_prefix(&site)
            .and_then(|below| below.strip_prefix('/')?.rsplit_once('/').map(|(folder, _)| (folder, below)))
        {
            Some((folder, below)) => {
                folders.insert(folder.to_owned());
                preloads.push(below[1..].to_owned());
            }
            None => left.push(format!("{why}; but this file system has no links")),
        }
    }
    if !preloads.is_empty() {
        let why = format!(
            "this file system has no links, so Python itself looks into `{}` and loads {} DLLs there before it imports torch",
            folders.iter().cloned().collect::<Vec<_>>().join("`, `"),
            preloads.len()
        );
        rest.push(Amendment::Hook { hook: Hook { folders: folders.into_iter().collect(), preloads }, why });
    }
    rest
}

/// An error with its causes.
fn one_line(error: &Error) -> String {
    std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": ")
}

/// A path relative to the environment, if it lies in it.
fn inside(scheme: &Scheme, path: &Path) -> Option<String> {
    path.strip_prefix(&scheme.root).ok().map(slashed)
}

/// The file of that name in an unpacked wheel, the one that lies highest.
fn file_named(wheel: &UnpackedWheel, name: &str) -> Option<PathBuf> {
    let is_named = |path: &&str| path.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(name));
    let path = wheel.files.iter().map(|file| file.path.as_str()).filter(is_named).min_by_key(|path| path.len())?;
    Some(joined(&wheel.root, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_links_python_looks_where_the_files_lie() {
        let scheme = Scheme::on_windows(Path::new("v"), "3.12");
        let link = |from: &str| Amendment::Add {
            path: "Lib/site-packages/torch/lib/x.dll".to_owned(),
            from: AddedFrom::Environment(from.to_owned()),
            why: "x is missed".to_owned(),
        };
        let aside = Amendment::Aside { path: "y".to_owned(), why: "y".to_owned() };
        let mut left = Vec::new();
        let amendments = vec![
            link("Lib/site-packages/nvidia/cudnn/bin/a.dll"),
            aside.clone(),
            link("Library/bin/b.dll"),
            link("Lib/site-packages/nvidia/cudnn/bin/c.dll"),
        ];
        let done = instead_of_links(amendments, &scheme, &mut left);
        let [first, Amendment::Hook { hook, .. }] = done.as_slice() else { panic!("{done:?}") };
        assert_eq!(*first, aside);
        assert_eq!(hook.folders, ["nvidia/cudnn/bin"]);
        assert_eq!(hook.preloads, ["nvidia/cudnn/bin/a.dll", "nvidia/cudnn/bin/c.dll"]);
        assert_eq!(left, ["x is missed; but this file system has no links"]);
    }
}
