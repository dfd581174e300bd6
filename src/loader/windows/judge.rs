//! What is wrong with DLLs that all load: they come from elsewhere, or do not belong together.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::loader::problem::{Problem, VersionedFile};

use super::copies::Copies;
use super::files::DllFiles;
use super::process::{Module, Process};

/// The problems, each with the DLL it is told of.
pub(super) fn judge<F: DllFiles>(process: &Process<F>, copies: &Copies<F>) -> Vec<(PathBuf, Problem)> {
    let mut problems = Vec::new();
    for module in &process.modules {
        problems.extend(shadowed(process, copies, module).map(|problem| (module.path.clone(), problem)));
    }
    for row in &process.facts.alike {
        let members = process
            .modules
            .iter()
            .filter(|module| process.facts.alike(&module.name).is_some_and(|alike| alike.title == row.title));
        let files: Vec<VersionedFile> = members
            .filter_map(|module| Some(VersionedFile { path: module.path.clone(), version: module.image.file_version? }))
            .collect();
        let versions: BTreeSet<_> = files.iter().map(|file| file.version).collect();
        if let Some(first) = files.first().filter(|_| versions.len() > 1) {
            problems
                .push((first.path.clone(), Problem::MixedVersions { title: row.title.clone(), files: files.clone() }));
        }
    }
    for row in &process.facts.alone {
        let mut holders = process.modules.iter().filter(|module| module.name.eq_ignore_ascii_case(&row.name));
        if let (Some(first), Some(second)) = (holders.next(), holders.next()) {
            let (first, second) = (first.path.clone(), second.path.clone());
            problems.push((second.clone(), Problem::LoadedTwice { first, second, says: row.says.clone() }));
        }
    }
    problems
}

/// A DLL from outside of the environment, which has another version of its own. The C runtime is meant to come from
/// outside, and which version of it will do is judged where it is needed.
fn shadowed<F: DllFiles>(process: &Process<F>, copies: &Copies<F>, module: &Module) -> Option<Problem> {
    if process.setting.holds(&module.path) || process.facts.runtime(&module.name).is_some() {
        return None;
    }
    let (own, image) = copies.own(&module.name)?;
    let (have, own_version) = (module.image.file_version, image.file_version);
    // Not every DLL of cuDNN states its version.
    let same = have == own_version && (have.is_some() || module.image == image);
    (!same).then(|| Problem::Shadowed { found: module.path.clone(), have, own: own.to_owned(), own_version })
}
