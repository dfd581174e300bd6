//! Which changes make the problems of a report go: `LoadReport` → `Fixes`. Windows only.
//!
//! The folder of the DLL that is opened outranks all others, so whatever torch's `lib` folder holds is what torch gets:
//! fixes put DLLs there, or take away what should not be there. Nothing outside of the environment is touched.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::load_report::{LibraryCopy, LoadReport};
use super::problem::{Problem, VersionedFile, file_name, is_same_path};
use crate::catalog::manifest::DllFacts;
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
    let lib = report.torch.as_ref().map(|torch| torch.join("lib")).unwrap_or_default();
    let mut decision = Decision {
        report,
        facts,
        lib,
        aside: Vec::new(),
        complete: Vec::new(),
        runtime: Vec::new(),
        left: Vec::new(),
        explained: BTreeSet::new(),
    };
    let problems: Vec<&Problem> = report.problems().collect();
    let rest: Vec<&Problem> = problems.into_iter().filter(|problem| !decision.put_aside(problem)).collect();
    for problem in rest {
        if let Err(why) = decision.decide(problem) {
            decision.left.push(Left { problem: problem.clone(), why });
        }
    }
    let Decision { aside, complete, runtime, left, .. } = decision;
    Fixes { fixes: aside.into_iter().chain(complete).chain(runtime).collect(), left }
}

struct Decision<'a> {
    report: &'a LoadReport,
    facts: &'a DllFacts,
    /// torch's `lib` folder.
    lib: PathBuf,
    aside: Vec<Fix>,
    complete: Vec<Fix>,
    runtime: Vec<Fix>,
    left: Vec<Left>,
    /// The DLLs that are linked for a problem of their own.
    explained: BTreeSet<String>,
}

impl Decision<'_> {
    /// Puts a foreign DLL aside that causes a problem; whether that makes the problem go.
    fn put_aside(&mut self, problem: &Problem) -> bool {
        let at_fault = match problem {
            Problem::Unloadable { path, .. } | Problem::WrongMachine { path, .. } => vec![path],
            Problem::ExportMissing { provider, by, .. } => vec![provider, by],
            // What can be brought to it is better brought.
            Problem::Missing { name, by } | Problem::LookupMissing { name, by } if !self.can_bring(name) => vec![by],
            Problem::LoadedTwice { first, second, .. } => vec![second, first],
            Problem::MixedVersions { files, .. } => return self.put_strangers_aside(problem, files),
            _ => return false,
        };
        let path = at_fault.into_iter().find(|path| self.may_go(path)).cloned();
        path.is_some_and(|path| self.aside(problem, &path))
    }

    /// DLLs of another version than those that torch's wheel brought.
    fn put_strangers_aside(&mut self, problem: &Problem, files: &[VersionedFile]) -> bool {
        let (strangers, others): (Vec<_>, Vec<_>) = files.iter().partition(|file| self.may_go(&file.path));
        let mut versions: BTreeSet<FileVersion> = others.iter().map(|file| file.version).collect();
        let replacements = strangers.iter().filter_map(|file| self.copy(&file_name(&file.path))?.version);
        versions.extend(replacements);
        if strangers.is_empty() || versions.len() > 1 {
            return false;
        }
        strangers.iter().all(|file| self.aside(problem, &file.path))
    }

    fn aside(&mut self, problem: &Problem, path: &Path) -> bool {
        let why = format!("{problem}; `{}` came with no distribution and is put out of the way", path.display());
        push(
            &mut self.aside,
            Fix::Aside { path: path.to_owned(), why },
            |known| matches!(known, Fix::Aside { path: known, .. } if is_same_path(known, path)),
        );
        let name = file_name(path);
        !self.is_needed(path) || self.complete(&name, problem).is_ok()
    }

    /// Whether there is a DLL of this name to be put into torch's `lib` folder.
    fn can_bring(&self, name: &str) -> bool {
        self.facts.runtime(name).is_some() || !self.matching(name).is_empty()
    }

    /// Whether a file came with no distribution and nothing is lost with it.
    fn may_go(&self, path: &Path) -> bool {
        let name = file_name(path);
        self.is_foreign(path)
            && self.facts.runtime(&name).is_none()
            && (!self.is_needed(path) || self.copy(&name).is_some())
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
                outside.into_iter().try_for_each(|path| self.complete(&file_name(path), problem))
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
            if copy.in_lib && !self.is_put_aside(&next) {
                self.must_agree(copy)?;
                continue;
            }
            links.push(copy.clone());
        }
        if !links.iter().any(|copy| copy.name == first) {
            return Err(format!("`{}` is there, and another is found before it", self.lib.join(&first).display()));
        }
        for copy in links {
            let title = copy.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (from, lib) = (copy.path.display(), self.lib.display());
            let is_first = copy.name == first;
            let why = if is_first {
                format!("{problem}; `{from}` is linked into `{lib}`")
            } else {
                format!("`{first}` is linked into `{lib}`, and `{from}` goes with it")
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
        let name = name.to_ascii_lowercase();
        let why = format!("{problem}; the one of the distribution `{wheel}` is put into `{}`", self.lib.display());
        push(
            &mut self.runtime,
            Fix::CRuntime { name: name.clone(), wheel, have, need, why },
            |known| matches!(known, Fix::CRuntime { name: known, .. } if *known == name),
        );
        Ok(())
    }

    fn copy(&self, name: &str) -> Option<&LibraryCopy> {
        self.report.surroundings.copies.iter().find(|copy| copy.name.eq_ignore_ascii_case(name))
    }

    /// The copies of a name in which `*` stands for any text.
    fn matching(&self, pattern: &str) -> Vec<&LibraryCopy> {
        let matches = |copy: &&LibraryCopy| crate::catalog::manifest::matches_name(pattern, &copy.name);
        self.report.surroundings.copies.iter().filter(matches).collect()
    }

    fn is_put_aside(&self, name: &str) -> bool {
        self.aside.iter().any(|fix| matches!(fix, Fix::Aside { path, .. } if file_name(path) == name))
    }

    fn is_foreign(&self, path: &Path) -> bool {
        self.report.surroundings.foreign.iter().any(|foreign| is_same_path(foreign, path))
    }

    fn is_in_lib(&self, path: &Path) -> bool {
        path.parent().is_some_and(|folder| is_same_path(folder, &self.lib))
    }

    /// Whether a library that stays needs this one.
    fn is_needed(&self, path: &Path) -> bool {
        self.report.libraries.iter().any(|library| {
            !self.is_foreign(&library.path)
                && library.needs.iter().any(|need| {
                    need.path.as_deref().is_some_and(|found| is_same_path(found, path))
                        || need.path.is_none() && need.name.eq_ignore_ascii_case(&file_name(path))
                })
        })
    }
}

/// Adds a fix that is not there yet.
fn push(fixes: &mut Vec<Fix>, fix: Fix, is_same: impl Fn(&Fix) -> bool) {
    if !fixes.iter().any(is_same) {
        fixes.push(fix);
    }
}
