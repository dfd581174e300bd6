//! After a change of libraries: what the loader would not find is put where it looks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use serde::Serialize;

use super::session::Session;
use crate::catalog::Manifests;
use crate::error::Error;
use crate::install::{self, AddedFrom, Additions, Amended, Amendment, Hook, LinkMode};
use crate::loader::{self, Fix, Fixes, LoadReport, StaticRequest};
use crate::machine::Machine;
use crate::report::Bars;
use crate::venv::{Environment, Scheme};
use crate::wheel::UnpackedWheel;

/// What was done about the search path.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct SearchPath {
    /// What was wrong and was mended, a sentence each.
    pub fixed: Vec<String>,
    /// What is wrong still, and why nothing here helps, a sentence each.
    pub left: Vec<String>,
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
    let Hook { folders: added, preloads } = Additions::read(&scheme.root)?.hook;
    let in_site = |paths: Vec<String>| paths.iter().map(|path| joined(&scheme.purelib, path)).collect::<Vec<_>>();
    let (added_folders, preloads) = (in_site(added), in_site(preloads));
    let request = StaticRequest {
        added_folders: &added_folders,
        preloads: &preloads,
        ..StaticRequest::new(&environment.interpreter.executable, &folders, manifests)
    };
    Ok(loader::check_static(&request, machine, &session.host)?)
}

/// Lets the loader find all of torch's libraries, as far as that can be done inside the environment.
///
/// Fixes that bring others to light are followed by those, a few times at most.
pub(super) fn mend(workshop: &Workshop<'_>, environment: &Environment) -> Result<SearchPath, Error> {
    const MOST_ROUNDS: usize = 4;
    let mut result = SearchPath::default();
    for _ in 0..MOST_ROUNDS {
        let report = model(workshop.session, workshop.manifests, workshop.machine, environment)?;
        let Fixes { fixes, left } = loader::fixes(&report, workshop.manifests.dlls());
        result.left = left.iter().map(|left| format!("{}: {}", left.problem, left.why)).collect();
        let round = workshop.round(&report, fixes, &environment.scheme)?;
        result.left.extend(round.left);
        let new: Vec<String> = round.fixed.into_iter().filter(|fixed| !result.fixed.contains(fixed)).collect();
        if new.is_empty() {
            break;
        }
        result.fixed.extend(new);
    }
    install::settled(&environment.scheme.root)?;
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
    }
}

impl Workshop<'_> {
    /// Makes the changes; says what was done, and what could not be.
    fn round(&self, report: &LoadReport, fixes: Vec<Fix>, scheme: &Scheme) -> Result<SearchPath, Error> {
        let mut result = SearchPath::default();
        let Some(lib) = report.torch.as_ref().map(|torch| torch.join("lib")) else { return Ok(result) };
        let mut amendments = Vec::new();
        let mut linked = Vec::new();
        for fix in fixes {
            let why = fix.why().to_owned();
            let amendment = match fix {
                Fix::Aside { path, why } => inside(scheme, &path).map(|path| Amendment::Aside { path, why }),
                Fix::Complete { name, from, why } => {
                    linked.push(from.clone());
                    inside(scheme, &lib.join(name)).zip(inside(scheme, &from)).map(|(path, from)| Amendment::Add {
                        path,
                        from: AddedFrom::Environment(from),
                        why,
                    })
                }
                Fix::CRuntime { name, wheel, why, .. } => match (self.bring)(&wheel) {
                    Ok(unpacked) => file_named(&unpacked, &name).and_then(|from| {
                        let path = inside(scheme, &lib.join(&name))?;
                        Some(Amendment::Add { path, from: AddedFrom::Elsewhere(from), why })
                    }),
                    Err(error) => {
                        result.left.push(format!("{why}; but that cannot be had: {}", one_line(&error)));
                        continue;
                    }
                },
            };
            match amendment {
                Some(amendment) => {
                    amendments.push(amendment);
                    result.fixed.push(why);
                }
                None => result.left.push(why),
            }
        }
        if amendments.is_empty() {
            return Ok(result);
        }
        let bars = Bars::new(self.session.output);
        let interrupted: &AtomicBool = &self.session.interrupted;
        let _changing = self.session.changing();
        if install::amend(scheme, &amendments, self.link_mode, interrupted, &bars)? == Amended::NoLinks {
            amendments.retain(|amendment| !matches!(amendment, Amendment::Add { from: AddedFrom::Environment(_), .. }));
            amendments.push(Amendment::Hook {
                hook: hook(scheme, &linked),
                why: "this file system has no links, so Python itself looks there before it imports torch".to_owned(),
            });
            // Links are what it could not make, and there are none left among them.
            install::amend(scheme, &amendments, self.link_mode, interrupted, &bars)?;
        }
        bars.clear();
        Ok(result)
    }
}

/// What Python has to do where libraries cannot be linked into torch's folder.
fn hook(scheme: &Scheme, libraries: &[PathBuf]) -> Hook {
    let below_site = |path: &Path| Some(slashed(path.strip_prefix(&scheme.purelib).ok()?));
    let folders: BTreeSet<String> =
        libraries.iter().filter_map(|library| library.parent().and_then(below_site)).collect();
    Hook {
        folders: folders.into_iter().collect(),
        preloads: libraries.iter().filter_map(|library| below_site(library)).collect(),
    }
}

/// An error with its causes.
fn one_line(error: &Error) -> String {
    std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": ")
}

/// A path relative to the environment, if it lies in it.
fn inside(scheme: &Scheme, path: &Path) -> Option<String> {
    path.strip_prefix(&scheme.root).ok().map(slashed)
}

fn slashed(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn joined(folder: &Path, path: &str) -> PathBuf {
    path.split('/').fold(folder.to_owned(), |folder, part| folder.join(part))
}

/// The file of that name in an unpacked wheel, the one that lies highest.
fn file_named(wheel: &UnpackedWheel, name: &str) -> Option<PathBuf> {
    let is_named = |path: &&str| path.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(name));
    let path = wheel.files.iter().map(|file| file.path.as_str()).filter(is_named).min_by_key(|path| path.len())?;
    Some(joined(&wheel.root, path))
}
