//! The folders that `import torch` adds to the search path.

use std::path::{Path, PathBuf};

use crate::catalog::manifest::{DllFacts, holds, matches_name};

use super::files::{DllFiles, below};
use super::setting::{Setting, TorchBuild};

/// The folders that this torch adds, in its order; only those that exist.
pub(super) fn torch_folders(
    facts: &DllFacts,
    setting: &Setting,
    torch: &TorchBuild,
    files: &impl DllFiles,
) -> Vec<PathBuf> {
    let version = torch.version.as_ref();
    let mut folders: Vec<PathBuf> = Vec::new();
    for row in facts.folder.iter().filter(|row| holds(row.torch.as_ref(), version)) {
        // Torch asks for the base's only where it is another.
        let base = (setting.base != setting.prefix).then_some(setting.base.as_path());
        let places = [
            ("{torch}", Some(torch.folder.as_path())),
            ("{prefix}", Some(setting.prefix.as_path())),
            ("{base}", base),
            ("{user}", setting.user.as_deref()),
        ];
        let folder = places.into_iter().find_map(|(name, place)| Some(below(place?, row.path.strip_prefix(name)?)));
        folders.extend(folder.filter(|folder| files.list(folder).is_some()));
    }
    // Both fall-backs are decided before either is added.
    let fallbacks: Vec<PathBuf> = facts
        .fallback
        .iter()
        .filter(|row| holds(row.torch.as_ref(), version) && !(row.needs_cuda && torch.cuda.is_none()))
        .filter(|row| !folders.iter().any(|folder| has(files, folder, &row.unless)))
        .map(|row| {
            let cuda = torch.cuda.as_deref().unwrap_or_default();
            let variable = row.variable.replace("{cuda}", &cuda.replace('.', "_")).to_ascii_uppercase();
            let named = setting.variables.get(&variable).cloned();
            let default = row.default.strip_prefix("{programs}").unwrap_or(&row.default).replace("{cuda}", cuda);
            below(&named.unwrap_or_else(|| below(&setting.programs, &default)), &row.below)
        })
        .filter(|folder| files.list(folder).is_some())
        .collect();
    folders.extend(fallbacks);
    folders
}

fn has(files: &impl DllFiles, folder: &Path, pattern: &str) -> bool {
    files.list(folder).is_some_and(|entries| entries.iter().any(|entry| matches_name(pattern, &entry.name)))
}
