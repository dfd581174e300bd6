//! Which changes make the problems of a report go: `LoadReport` → `Fixes`. Windows only.
//!
//! The folder of the DLL that is opened outranks all others, so whatever torch's `lib` folder holds is what torch gets:
//! fixes put DLLs there, or take away what should not be there. Nothing outside of the environment is touched.

mod aside;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::load_report::{LibraryCopy, LoadReport};
use super::problem::{Problem, file_name, folded, is_same_path};
use crate::catalog::manifest::{DllFacts, matches_name};
use crate::pe::PeFault;
use crate::vocab::FileVersion;

/// What to do about a report, and what nothing helps against.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Fixes {
    /// The changes, in the order they are to be made: what is in the way goes first.
    pub fixes: Vec<Fix>,
    /// The problems that stay.
    pub left: Vec<Left>,
}

/// A change in torch's `lib` folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Fix {
    /// A file is put out of the way.
    Aside {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what is done.
        why: String,
    },
    /// A DLL that lies elsewhere in the environment is linked into torch's `lib` folder.
    Complete {
        /// Its file name.
        name: String,
        /// Where it lies.
        from: PathBuf,
        /// What is wrong, and what is done.
        why: String,
    },
    /// A part of the C runtime is put into torch's `lib` folder, over one that is there.
    CRuntime {
        /// Its file name.
        name: String,
        /// The distribution that brings it.
        wheel: String,
        /// The version that is found now.
        have: Option<FileVersion>,
        /// The lowest version that does, where it is known.
        need: Option<FileVersion>,
        /// What is wrong, and what is done.
        why: String,
    },
}

impl Fix {
    /// What is wrong, and what is done.
    pub fn why(&self) -> &str {
        match self {
            Self::Aside { why, .. } | Self::Complete { why, .. } | Self::CRuntime { why, .. } => why,
        }
    }
}

/// A problem that no fix helps against.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Left {
    /// The problem.
    pub problem: Problem,
    /// Why, and what can be done.
    pub why: String,
}

/// Decides what makes the problems of a report go.
pub fn fixes(report: &LoadReport, facts: &DllFacts) -> Fixes {
    let mut linked = BTreeSet::new();
    loop {
        let fixes = Decision::new(report, facts, &linked).decided();
        let names = fixes.fixes.iter().filter_map(|fix| match fix {
            Fix::Complete { name, .. } => Some(folded(name)),
            _ => None,
        });
        let known = linked.len();
        linked.extend(names);
        // What is linked may need what was put aside: the same is decided again, with that known.
        if linked.len() == known {
            return fixes;
        }
    }
}

struct Decision<'a> {
    report: &'a LoadReport,
    facts: &'a DllFacts,
    /// The names of DLLs that are known to be linked into torch's `lib` folder.
    linked: &'a BTreeSet<String>,
    /// torch's `lib` folder.
    lib: PathBuf,
    aside: Vec<Fix>,
    complete: Vec<Fix>,
    runtime: Vec<Fix>,
    left: Vec<Left>,
    /// The DLLs that are linked for a problem of their own.
    explained: BTreeSet<String>,
}

impl<'a> Decision<'a> {
    fn new(report: &'a LoadReport, facts: &'a DllFacts, linked: &'a BTreeSet<String>) -> Self {
        Self {
            report,
            facts,
            linked,
            lib: report.torch.as_ref().map(|torch| torch.join("lib")).unwrap_or_default(),
            aside: Vec::new(),
            complete: Vec::new(),
            runtime: Vec::new(),
            left: Vec::new(),
            explained: BTreeSet::new(),
        }
    }

    /// Decides every problem, those first that something in the way causes.
    fn decided(mut self) -> Fixes {
        let rest: Vec<&Problem> = self.report.problems().filter(|problem| !self.put_aside(problem)).collect();
        for problem in rest {
            if let Err(why) = self.decide(problem) {
                self.left.push(Left { problem: problem.clone(), why });
            }
        }
        Fixes { fixes: self.aside.into_iter().chain(self.complete).chain(self.runtime).collect(), left: self.left }
    }

    fn decide(&mut self, problem: &Problem) -> Result<(), String> {
        match problem {
            Problem::Missing { name, .. } | Problem::LookupMissing { name, .. } => {
                if self.facts.runtime(name).is_some() {
                    return self.runtime(name, None, None, None, problem);
                }
                if let Some(row) = self.facts.absent(name, self.report.surroundings.version.as_ref()) {
                    return Err(row.why.clone());
                }
                self.complete(name, problem)
            }
            Problem::RuntimeTooOld { provider, have, need, .. } => {
                self.runtime(&file_name(provider), Some(provider), Some(*have), Some(*need), problem)
            }
            Problem::Unloadable { path, fault: PeFault::TooMuch { .. } } => {
                Err(format!("`{}`, or what is loaded before it, is no DLL of torch or NVIDIA", path.display()))
            }
            Problem::Unloadable { path, .. }
            | Problem::WrongMachine { path, .. }
            | Problem::ExportMissing { provider: path, .. } => {
                let name = file_name(path);
                if self.facts.runtime(&name).is_some() {
                    return self.runtime(&name, Some(path), None, None, problem);
                }
                if self.is_in_lib(path) {
                    return Err(format!("`{}` must be restored from the wheel that it came with", path.display()));
                }
                self.complete(&name, problem)
            }
            Problem::Shadowed { own, .. } => self.complete(&file_name(own), problem),
            Problem::MixedVersions { files, .. } => {
                let outside: Vec<&PathBuf> =
                    files.iter().map(|file| &file.path).filter(|path| !self.is_in_lib(path)).collect();
                if outside.is_empty() {
                    return Err("they must be restored from the wheel that they came with".to_owned());
                }
                let before = (self.complete.clone(), self.explained.clone());
                let done = outside.into_iter().try_for_each(|path| self.complete(&file_name(path), problem));
                if done.is_err() {
                    (self.complete, self.explained) = before;
                }
                done
            }
            Problem::LoadedTwice { second, .. } => {
                Err(format!("what loads `{}` must be changed to use the other one", second.display()))
            }
            Problem::Faulty { .. } | Problem::VersionMissing { .. } => {
                Err("the wheels that brought these libraries must be installed again".to_owned())
            }
        }
    }

    /// Links a DLL into torch's `lib` folder, with all that it needs.
    fn complete(&mut self, name: &str, problem: &Problem) -> Result<(), String> {
        let Some(first) = self.matching(name).first().map(|copy| copy.name.clone()) else {
            return Err(format!(
                "no copy of `{name}` is in the environment: the wheel that brings it must be installed again"
            ));
        };
        let mut waiting = vec![first.clone()];
        let mut seen = BTreeSet::new();
        let mut links = Vec::new();
        while let Some(next) = waiting.pop() {
            let Some(copy) = self.copy(&next).filter(|_| seen.insert(next.clone())) else { continue };
            waiting.extend(copy.needs.iter().cloned());
            let is_again = !copy.in_lib_too && self.is_added(&self.lib.join(&next));
            if copy.in_lib && !is_again && !self.is_put_aside(&next) {
                self.must_agree(copy)?;
                continue;
            }
            links.push((copy.clone(), is_again));
        }
        if !links.iter().any(|(copy, _)| copy.name == first) {
            return Err(format!("`{}` is there, and another is found before it", self.lib.join(&first).display()));
        }
        for (copy, is_again) in links {
            let title = copy.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (from, lib) = (copy.path.display(), self.lib.display());
            let is_first = copy.name == first;
            let again = if is_again { ", over what is no longer the same" } else { "" };
            let why = if is_first {
                format!("{problem}; `{from}` is linked into `{lib}`{again}")
            } else {
                format!("`{first}` is linked into `{lib}`, and `{from}` goes with it{again}")
            };
            let is_same = |known: &Fix| matches!(known, Fix::Complete { from, .. } if *from == copy.path);
            // A problem of its own says more than that it goes with another.
            if is_first && self.explained.insert(first.clone()) {
                self.complete.retain(|known| !is_same(known));
            }
            push(&mut self.complete, Fix::Complete { name: title, from: copy.path.clone(), why }, is_same);
        }
        Ok(())
    }

    /// What is in torch's `lib` folder must be of the version of what is put beside it, where versions matter.
    fn must_agree(&self, copy: &LibraryCopy) -> Result<(), String> {
        let differs = copy.lib_version.zip(copy.version).is_some_and(|(lib, own)| lib != own);
        match self.facts.alike(&copy.name).filter(|_| differs) {
            Some(row) => Err(format!(
                "`{}` is of another version than the {} in `{}`: the missing file must be restored from the wheel that brought that",
                copy.path.display(),
                row.title,
                self.lib.display()
            )),
            None => Ok(()),
        }
    }

    /// Puts a part of the C runtime into torch's `lib` folder.
    fn runtime(
        &mut self,
        name: &str,
        provider: Option<&Path>,
        have: Option<FileVersion>,
        need: Option<FileVersion>,
        problem: &Problem,
    ) -> Result<(), String> {
        let application = self.report.surroundings.application.as_deref();
        let beside_program = |path: &&Path| application.zip(path.parent()).is_some_and(|(a, b)| is_same_path(a, b));
        if let Some(provider) = provider.filter(beside_program) {
            return Err(format!(
                "`{}` lies beside the Python that runs this environment and is found before all others: update it there, or make the environment from another Python",
                provider.display()
            ));
        }
        let serves = |copy: &&LibraryCopy| {
            !copy.in_lib
                && Some(copy.path.as_path()) != provider
                && copy.version.is_some_and(|own| need.is_none_or(|need| own >= need))
        };
        if (provider.is_none() || need.is_some())
            && let Some(copy) = self.copy(name).filter(serves).cloned()
        {
            return self.complete(&copy.name, problem);
        }
        let wheel = self.facts.runtime(name).map(|row| row.wheel.clone()).unwrap_or_default();
        let name = folded(name);
        let why = format!("{problem}; the one of the distribution `{wheel}` is put into `{}`", self.lib.display());
        push(
            &mut self.runtime,
            Fix::CRuntime { name: name.clone(), wheel, have, need, why },
            |known| matches!(known, Fix::CRuntime { name: known, .. } if *known == name),
        );
        Ok(())
    }

    fn copy(&self, name: &str) -> Option<&LibraryCopy> {
        let name = folded(name);
        self.report.surroundings.copies.iter().find(|copy| copy.name == name)
    }

    /// The copies of a name in which `*` stands for any text.
    fn matching(&self, pattern: &str) -> Vec<&LibraryCopy> {
        let pattern = folded(pattern);
        let matches = |copy: &&LibraryCopy| matches_name(&pattern, &copy.name);
        self.report.surroundings.copies.iter().filter(matches).collect()
    }

    fn is_in_lib(&self, path: &Path) -> bool {
        path.parent().is_some_and(|folder| is_same_path(folder, &self.lib))
    }
}

/// Adds a fix that is not there yet.
fn push(fixes: &mut Vec<Fix>, fix: Fix, is_same: impl Fn(&Fix) -> bool) {
    if !fixes.iter().any(is_same) {
        fixes.push(fix);
    }
}
