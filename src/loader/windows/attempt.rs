//! One call of `LoadLibrary`: all that the DLL needs is mapped, then bound; if anything fails, all of it goes again.

use std::path::{Path, PathBuf};

use crate::loader::load_report::{LibraryReport, Need};
use crate::loader::problem::Problem;
use crate::pe::{PeFault, Symbol, Target};
use crate::vocab::FileVersion;

use super::files::DllFiles;
use super::process::{Found, Process, Regime};

/// `ERROR_MOD_NOT_FOUND`
pub(super) const MODULE_NOT_FOUND: u32 = 126;
/// `ERROR_PROC_NOT_FOUND`
const PROCEDURE_NOT_FOUND: u32 = 127;
/// `ERROR_INVALID_ORDINAL`
const INVALID_ORDINAL: u32 = 182;
/// `ERROR_BAD_EXE_FORMAT`
const BAD_FORMAT: u32 = 193;
/// `ERROR_DLL_INIT_FAILED`
const INITIALISATION_FAILED: u32 = 1114;

/// A forwarder may lead to a forwarder, but not for ever.
const MOST_FORWARDS: u32 = 8;

/// What came of a call.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// The DLLs that were loaded by it, or were to be.
    pub reports: Vec<LibraryReport>,
    /// The error of Windows; `None` when it is loaded.
    pub error_code: Option<u32>,
}

impl Attempt {
    fn refused(path: &Path, problem: Problem, error_code: u32) -> Self {
        let report = LibraryReport { path: path.to_owned(), opened: true, needs: Vec::new(), problems: vec![problem] };
        Self { reports: vec![report], error_code: Some(error_code) }
    }
}

/// The modules that a module imports from; `None` for what is not looked into or not there.
type Providers = Vec<Option<usize>>;

impl<F: DllFiles> Process<'_, F> {
    /// Opens a DLL by its path.
    pub fn open(&mut self, path: &Path, regime: Regime) -> Attempt {
        if self.is_loaded(path) {
            return Attempt::default();
        }
        let image = match self.files.image(path) {
            Some(Ok(image)) if image.machine == self.setting.machine => image,
            Some(Ok(image)) => {
                let problem = Problem::WrongMachine { path: path.to_owned(), machine: image.machine };
                return Attempt::refused(path, problem, BAD_FORMAT);
            }
            Some(Err(fault)) => {
                return Attempt::refused(path, Problem::Unloadable { path: path.to_owned(), fault }, BAD_FORMAT);
            }
            None => {
                let fault = PeFault::Unreadable { error: "no such file".to_owned() };
                return Attempt::refused(path, Problem::Unloadable { path: path.to_owned(), fault }, MODULE_NOT_FOUND);
            }
        };
        let first = self.add(path, image);
        let folder = path.parent().map(Path::to_owned);
        self.load_from(first, folder.as_deref(), regime)
    }

    /// Opens a DLL by its plain name; `None` where it is nowhere. One of the system opens without a word.
    pub fn open_name(&mut self, name: &str, regime: Regime) -> Option<Attempt> {
        let first = self.modules.len();
        match self.find(name, None, regime) {
            Found::Nowhere => None,
            Found::System(_) => Some(Attempt::default()),
            Found::Module(_) => Some(self.load_from(first, None, regime)),
            Found::Unusable(problem) => {
                let path = match &problem {
                    Problem::WrongMachine { path, .. } | Problem::Unloadable { path, .. } => path.clone(),
                    _ => PathBuf::from(name),
                };
                Some(Attempt::refused(&path, problem, BAD_FORMAT))
            }
        }
    }

    /// Loads what the modules from `first` on need.
    fn load_from(&mut self, first: usize, folder: Option<&Path>, regime: Regime) -> Attempt {
        let mut attempt = Attempt::default();
        let mut providers: Vec<Providers> = Vec::new();
        let mut bound = 0;
        loop {
            while first + providers.len() < self.modules.len() {
                let (mut report, found) = self.map(first + providers.len(), folder, regime, &mut attempt.error_code);
                report.opened = providers.is_empty();
                attempt.reports.push(report);
                providers.push(found);
            }
            // torch tries again without flags.
            if regime == Regime::Flags && attempt.error_code == Some(MODULE_NOT_FOUND) {
                break;
            }
            // A forwarder may bring in more to map.
            let Some(of_next) = providers.get(bound).cloned() else { break };
            let problems = self.bind(first + bound, &of_next, folder, regime, &mut attempt.error_code);
            attempt.reports[bound].problems.extend(problems);
            bound += 1;
        }
        for (index, providers) in providers.iter().enumerate() {
            let problems = self.outdated(first + index, providers);
            if !problems.is_empty() {
                attempt.error_code.get_or_insert(INITIALISATION_FAILED);
            }
            attempt.reports[index].problems.extend(problems);
        }
        if attempt.error_code.is_some() {
            self.unload_from(first);
        }
        attempt
    }

    fn map(
        &mut self,
        index: usize,
        folder: Option<&Path>,
        regime: Regime,
        error_code: &mut Option<u32>,
    ) -> (LibraryReport, Providers) {
        let module = self.modules[index].clone();
        let mut report =
            LibraryReport { path: module.path.clone(), opened: false, needs: Vec::new(), problems: Vec::new() };
        let mut providers = Vec::new();
        for library in &module.image.imports {
            let (path, provider) = match self.find(&library.name, folder, regime) {
                Found::System(path) => (path, None),
                Found::Module(provider) => (Some(self.modules[provider].path.clone()), Some(provider)),
                Found::Nowhere => {
                    error_code.get_or_insert(MODULE_NOT_FOUND);
                    report.problems.push(Problem::Missing { name: library.name.clone(), by: module.path.clone() });
                    (None, None)
                }
                Found::Unusable(problem) => {
                    error_code.get_or_insert(BAD_FORMAT);
                    report.problems.push(problem);
                    (None, None)
                }
            };
            report.needs.push(Need { name: library.name.clone(), path });
            providers.push(provider);
        }
        (report, providers)
    }

    fn bind(
        &mut self,
        index: usize,
        providers: &Providers,
        folder: Option<&Path>,
        regime: Regime,
        error_code: &mut Option<u32>,
    ) -> Vec<Problem> {
        let module = self.modules[index].clone();
        let mut problems = Vec::new();
        for (library, provider) in module.image.imports.iter().zip(providers) {
            let Some(provider) = *provider else { continue };
            let mut missing = Vec::new();
            for symbol in &library.symbols {
                if !self.exports(provider, symbol, folder, regime, 0) {
                    missing.push(symbol);
                }
            }
            if let Some(first) = missing.first() {
                error_code.get_or_insert(match first {
                    Symbol::Name(_) => PROCEDURE_NOT_FOUND,
                    Symbol::Ordinal(_) => INVALID_ORDINAL,
                });
                problems.push(Problem::ExportMissing {
                    symbol: first.to_string(),
                    others: missing.len() - 1,
                    provider: self.modules[provider].path.clone(),
                    by: module.path.clone(),
                });
            }
        }
        problems
    }

    fn exports(&mut self, provider: usize, symbol: &Symbol, folder: Option<&Path>, regime: Regime, depth: u32) -> bool {
        match self.modules[provider].image.exports.find(symbol) {
            None => false,
            Some(Target::Here) => true,
            Some(Target::Forwarded { .. }) if depth >= MOST_FORWARDS => false,
            Some(Target::Forwarded { library, symbol }) => match self.find(&library, folder, regime) {
                Found::System(_) => true,
                Found::Module(provider) => self.exports(provider, &symbol, folder, regime, depth + 1),
                Found::Nowhere | Found::Unusable(_) => false,
            },
        }
    }

    /// The C runtimes that this module crashes with.
    fn outdated(&self, index: usize, providers: &Providers) -> Vec<Problem> {
        let module = &self.modules[index];
        let linker = module.image.linker;
        let linker = FileVersion::new([linker.major.into(), linker.minor.into(), 0, 0]);
        let mut problems = Vec::new();
        for (library, provider) in module.image.imports.iter().zip(providers) {
            let Some(provider) = provider.map(|provider| &self.modules[provider]) else { continue };
            let Some(have) = provider.image.file_version else { continue };
            let too_old = self.facts.floor.iter().find(|row| {
                row.name.eq_ignore_ascii_case(&library.name)
                    && linker >= row.linker
                    && have < row.need
                    && library.has(&row.imports)
                    && !library.has(&row.unless)
            });
            problems.extend(too_old.map(|row| Problem::RuntimeTooOld {
                provider: provider.path.clone(),
                have,
                need: row.need,
                by: module.path.clone(),
            }));
        }
        problems
    }
}
