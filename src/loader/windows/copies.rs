//! The DLLs that lie in the environment, outside of torch's `lib` folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::catalog::manifest::{DllFacts, matches_name};
use crate::loader::load_report::LibraryCopy;
use crate::loader::problem::{file_name, folded};
use crate::pe::PeImage;

use super::files::{DllFiles, below};
use super::setting::{Setting, TorchBuild};

/// Where each name lies, and what torch's `lib` folder has.
pub(super) struct Copies<'a, F> {
    files: &'a F,
    facts: &'a DllFacts,
    setting: &'a Setting,
    lib: PathBuf,
    in_lib: BTreeSet<String>,
    by_name: BTreeMap<String, Vec<PathBuf>>,
}

impl<'a, F: DllFiles> Copies<'a, F> {
    pub fn gather(files: &'a F, facts: &'a DllFacts, setting: &'a Setting, torch: &TorchBuild) -> Self {
        let lib = torch.folder.join("lib");
        let in_lib = dlls(files, &lib).iter().map(|path| file_name(path)).collect();
        let mut by_name: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for path in folders(files, setting).iter().flat_map(|folder| dlls(files, folder)) {
            by_name.entry(file_name(&path)).or_default().push(path);
        }
        Self { files, facts, setting, lib, in_lib, by_name }
    }

    /// The environment's own DLL of a name, outside of torch's `lib` folder.
    pub fn own(&self, name: &str) -> Option<(&Path, Rc<PeImage>)> {
        self.by_name.get(&folded(name))?.iter().find_map(|path| {
            let image = self.files.image(path)?.ok()?;
            (image.machine == self.setting.machine).then_some((path.as_path(), image))
        })
    }

    /// The copies of these names, and of all that they need.
    pub fn about(&self, names: impl IntoIterator<Item = String>) -> Vec<LibraryCopy> {
        let mut waiting: Vec<String> = names.into_iter().flat_map(|name| self.named(&name)).collect();
        let mut seen = BTreeSet::new();
        let mut copies = Vec::new();
        while let Some(name) = waiting.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let Some((path, image)) = self.own(&name) else { continue };
            let needs = self.needs(&name, &image);
            waiting.extend(needs.iter().cloned());
            let in_lib = self.in_lib.contains(&name);
            let version = image.file_version;
            let lib_image = in_lib.then(|| self.files.image(&self.lib.join(&name))).flatten();
            let lib_image = lib_image.and_then(Result::ok);
            let lib_version = lib_image.as_ref().and_then(|image| image.file_version);
            let in_lib_too = lib_image.is_some_and(|lib| lib == image);
            copies.push(LibraryCopy { path: path.to_owned(), version, needs, in_lib, lib_version, in_lib_too, name });
        }
        copies
    }

    /// What a copy needs of what the environment has: imports, what it looks up, what must be of its version.
    fn needs(&self, name: &str, image: &PeImage) -> Vec<String> {
        let imports = image.imports.iter().chain(&image.delayed).map(|library| folded(&library.name));
        let imports = imports.filter(|name| self.by_name.contains_key(name) || self.in_lib.contains(name));
        let lookups = self.facts.lookups(name).flat_map(|row| &row.names);
        let alike = self.facts.alike(name).into_iter().flat_map(|row| &row.names);
        let names: BTreeSet<String> = imports
            .chain(lookups.chain(alike).flat_map(|pattern| self.named(pattern)))
            // What is wrong with the C runtime is a problem of its own.
            .filter(|needed| needed != name && self.facts.runtime(needed).is_none())
            .collect();
        names.into_iter().collect()
    }

    /// The names of copies that match one in which `*` stands for any text.
    fn named(&self, pattern: &str) -> Vec<String> {
        if !pattern.contains('*') {
            let name = folded(pattern);
            return if self.by_name.contains_key(&name) { vec![name] } else { Vec::new() };
        }
        self.by_name.keys().filter(|name| matches_name(pattern, name)).cloned().collect()
    }

    /// The DLLs in torch's `lib` folder that no distribution brought, torchfix's own left out.
    pub fn foreign(&self, recorded: &BTreeSet<String>) -> Vec<PathBuf> {
        let recorded: BTreeSet<String> = recorded.iter().map(|name| folded(name)).collect();
        let is_foreign = |path: &PathBuf| !recorded.contains(&file_name(path)) && !self.setting.added(path);
        dlls(self.files, &self.lib).into_iter().filter(is_foreign).collect()
    }

    /// The DLLs in torch's `lib` folder that torchfix put there.
    pub fn own_additions(&self) -> Vec<PathBuf> {
        dlls(self.files, &self.lib).into_iter().filter(|path| self.setting.added(path)).collect()
    }
}

/// The folders of an environment that hold DLLs, those of NVIDIA's wheels first.
fn folders(files: &impl DllFiles, setting: &Setting) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for nvidia in setting.site_packages.iter().map(|folder| folder.join("nvidia")) {
        for bin in subfolders(files, &nvidia).into_iter().map(|wheel| wheel.join("bin")) {
            // Newer wheels have a folder for each processor in it.
            folders.extend(subfolders(files, &bin));
            folders.push(bin);
        }
    }
    folders.push(below(&setting.prefix, "Library/bin"));
    // `msvc-runtime` puts the C runtime into these two.
    folders.extend(["bin", "Scripts"].map(|folder| setting.prefix.join(folder)));
    folders.push(setting.prefix.clone());
    folders
}

fn subfolders(files: &impl DllFiles, folder: &Path) -> Vec<PathBuf> {
    let entries = files.list(folder).unwrap_or_default();
    let mut folders: Vec<PathBuf> =
        entries.into_iter().filter(|entry| entry.is_folder).map(|entry| folder.join(entry.name)).collect();
    folders.sort();
    folders
}

/// The DLLs in a folder, in the order that Windows lists them.
pub(super) fn dlls(files: &impl DllFiles, folder: &Path) -> Vec<PathBuf> {
    let entries = files.list(folder).unwrap_or_default();
    let mut names: Vec<String> = entries
        .into_iter()
        .filter(|entry| !entry.is_folder && matches_name("*.dll", &entry.name))
        .map(|entry| entry.name)
        .collect();
    names.sort_by_key(|name| name.to_uppercase());
    names.into_iter().map(|name| folder.join(name)).collect()
}
