//! A process in the model: what it has loaded, and where a name is looked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::catalog::manifest::{DllFacts, matches_name};
use crate::loader::problem::{Problem, file_name, folded, identity};
use crate::pe::PeImage;

use super::files::DllFiles;
use super::setting::Setting;

/// More DLLs than any process has.
const MOST_MODULES: usize = 4096;

/// Which folders a name is looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Regime {
    /// `LOAD_LIBRARY_SEARCH_DEFAULT_DIRS`, with `LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR` where a path is opened.
    Flags,
    /// `LoadLibrary` as it ever was: `PATH` counts.
    Legacy,
}

/// A DLL that is loaded.
#[derive(Debug, Clone)]
pub(super) struct Module {
    /// Its file name, in lower case.
    pub name: String,
    pub path: PathBuf,
    pub image: Rc<PeImage>,
}

/// What a name means.
#[derive(Debug)]
pub(super) enum Found {
    /// Something of Windows itself, which is not looked into.
    System(Option<PathBuf>),
    /// A module.
    Module(usize),
    Nowhere,
    Unusable(Problem),
}

pub(super) struct Process<'a, F> {
    pub files: &'a F,
    pub facts: &'a DllFacts,
    pub setting: &'a Setting,
    /// The folders that were added.
    pub added: Vec<PathBuf>,
    /// `PATH`.
    pub path: Vec<PathBuf>,
    /// The program could not be read: its own DLLs are taken as loaded.
    pub program_unknown: bool,
    pub modules: Vec<Module>,
    by_name: BTreeMap<String, usize>,
    by_identity: BTreeMap<String, usize>,
}

impl<'a, F: DllFiles> Process<'a, F> {
    pub fn new(files: &'a F, facts: &'a DllFacts, setting: &'a Setting) -> Self {
        Self {
            files,
            facts,
            setting,
            added: Vec::new(),
            path: setting.path.clone(),
            program_unknown: false,
            modules: Vec::new(),
            by_name: BTreeMap::new(),
            by_identity: BTreeMap::new(),
        }
    }

    /// The module that is loaded under this name, in which `*` stands for any text.
    pub fn loaded(&self, pattern: &str) -> Option<&Module> {
        let known = || self.by_name.iter().find(|(name, _)| matches_name(pattern, name)).map(|(_, index)| *index);
        let index = self.by_name.get(&folded(pattern)).copied().or_else(known)?;
        self.modules.get(index)
    }

    pub fn is_loaded(&self, path: &Path) -> bool {
        self.by_identity.contains_key(&identity(path))
    }

    pub fn add(&mut self, path: &Path, image: Rc<PeImage>) -> usize {
        let index = self.modules.len();
        let name = file_name(path);
        self.by_name.entry(name.clone()).or_insert(index);
        self.by_identity.insert(identity(path), index);
        self.modules.push(Module { name, path: path.to_owned(), image });
        index
    }

    /// Unloads all modules from this one on.
    pub fn unload_from(&mut self, first: usize) {
        self.modules.truncate(first);
        self.by_name.retain(|_, index| *index < first);
        self.by_identity.retain(|_, index| *index < first);
    }

    /// The folders of a regime, in order; `opened` is that of the DLL which was opened by its path.
    pub fn folders(&self, opened: Option<&Path>, regime: Regime) -> Vec<PathBuf> {
        let setting = self.setting;
        let application = setting.program.parent().map(Path::to_owned);
        match regime {
            Regime::Flags => opened
                .map(Path::to_owned)
                .into_iter()
                .chain(application)
                .chain(self.added.iter().cloned())
                .chain([setting.system.clone()])
                .collect(),
            Regime::Legacy => application
                .into_iter()
                .chain([setting.system.clone(), setting.windows.join("System"), setting.windows.clone()])
                .chain([setting.working_directory.clone()])
                .chain(self.path.iter().cloned())
                .collect(),
        }
    }

    /// What a plain name means; a DLL that was not loaded becomes a module.
    pub fn find(&mut self, name: &str, opened: Option<&Path>, regime: Regime) -> Found {
        // A path, a stream or a host: a DLL must not choose what is opened.
        if name.contains(['/', '\\', ':']) {
            return Found::Nowhere;
        }
        let mut lower = folded(name);
        if !lower.contains('.') {
            lower.push_str(".dll");
        }
        if is_api_set(&lower) {
            return Found::System(None);
        }
        if let Some(index) = self.by_name.get(&lower) {
            return Found::Module(*index);
        }
        if self.program_unknown && matches_name("python3*.dll", &lower) {
            return Found::System(None);
        }
        if self.facts.is_known(&lower) {
            return Found::System(Some(self.setting.system.join(&lower)));
        }
        let is_system = self.facts.is_system(&lower);
        let mut passed_over = None;
        for folder in self.folders(opened, regime) {
            let path = folder.join(name);
            if is_system && identity(&folder) == identity(&self.setting.system) {
                return Found::System(Some(path));
            }
            match self.files.image(&path) {
                None => {}
                Some(Ok(image)) if image.machine != self.setting.machine => {
                    passed_over.get_or_insert(Problem::WrongMachine { path, machine: image.machine });
                }
                Some(Ok(_)) if self.modules.len() >= MOST_MODULES => return Found::Nowhere,
                Some(Ok(image)) => return Found::Module(self.add(&self.files.spelled(&path), image)),
                Some(Err(fault)) => return Found::Unusable(Problem::Unloadable { path, fault }),
            }
        }
        passed_over.map_or(Found::Nowhere, Found::Unusable)
    }
}

/// Names that Windows resolves by a table of its own.
fn is_api_set(name: &str) -> bool {
    name.starts_with("api-ms-") || name.starts_with("ext-ms-")
}
