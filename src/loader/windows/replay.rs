//! `import torch`, replayed, and what follows it at run time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::catalog::manifest::{DllFacts, matches_name};
use crate::loader::load_report::{LibraryReport, LibrarySurroundings, LoadReport, Need, Predicted};
use crate::loader::optional::Optional;
use crate::loader::problem::{Problem, file_name, identity};

use super::attempt::{Attempt, MODULE_NOT_FOUND};
use super::copies::{Copies, dlls};
use super::files::DllFiles;
use super::folders::torch_folders;
use super::judge::judge;
use super::process::{Process, Regime};
use super::setting::{Setting, TorchBuild};

/// Predicts what becomes of torch's DLLs.
pub fn predict(facts: &DllFacts, setting: &Setting, torch: &TorchBuild, files: &impl DllFiles) -> LoadReport {
    let mut replay = Replay { process: Process::new(files, facts, setting), record: Record::default(), torch };
    replay.start_program();
    replay.open_preloads();
    let prediction = replay.import_torch();
    replay.look_up();
    let copies = Copies::gather(files, facts, setting, torch);
    for (path, problem) in judge(&replay.process, &copies) {
        replay.record.tell(&path, problem);
    }
    let mut report = LoadReport {
        torch: Some(torch.folder.clone()),
        libraries: replay.record.libraries,
        notes: replay.record.notes,
        prediction,
        surroundings: LibrarySurroundings {
            version: torch.version.clone(),
            application: setting.program.parent().map(Path::to_owned),
            ..LibrarySurroundings::default()
        },
    };
    if !report.loads() {
        let culprits: Vec<String> = report.problems().flat_map(names_in).collect();
        report.surroundings.copies = copies.about(culprits);
        let recorded = files.recorded(&torch.folder);
        report.surroundings.foreign = recorded.map(|names| copies.foreign(&names)).unwrap_or_default();
        report.surroundings.added = copies.own_additions();
    }
    report
}

/// The names that a problem is about.
fn names_in(problem: &Problem) -> Vec<String> {
    match problem {
        Problem::MixedVersions { files, .. } => files.iter().map(|file| file_name(&file.path)).collect(),
        problem => vec![problem.culprit()],
    }
}

struct Replay<'a, F> {
    process: Process<'a, F>,
    record: Record,
    torch: &'a TorchBuild,
}

impl<F: DllFiles> Replay<'_, F> {
    /// The program's own DLLs are loaded first: its C runtime is the one that counts.
    fn start_program(&mut self) {
        let program = self.process.setting.program.clone();
        let attempt = self.process.open(&program, Regime::Legacy);
        if attempt.error_code.is_some() {
            self.process.program_unknown = true;
            self.record.notes.push(format!("what `{}` loads itself is not known", program.display()));
        } else {
            self.record.add(attempt.reports);
        }
    }

    fn open_preloads(&mut self) {
        self.process.added.extend(self.process.setting.added_folders.iter().cloned());
        for path in &self.process.setting.preloads {
            let attempt = self.process.open(path, Regime::Flags);
            if attempt.error_code.is_some() {
                self.record.notes.push(format!("`{}` cannot be loaded beforehand", path.display()));
            } else {
                self.record.add(attempt.reports);
            }
        }
    }

    fn import_torch(&mut self) -> Option<Predicted> {
        let folders = torch_folders(self.process.facts, self.process.setting, self.torch, self.process.files);
        self.process.added.extend(folders.iter().cloned());
        for row in &self.process.facts.probe {
            match self.process.open_name(&row.name, Regime::Flags) {
                Some(attempt) if attempt.error_code.is_none() => self.record.add(attempt.reports),
                _ => {
                    let note = format!("torch finds no `{}` and says that the Visual C++ runtime is missing", row.name);
                    self.record.notes.push(note);
                    break;
                }
            }
        }
        let mut prediction = None;
        let mut path_patched = false;
        for path in dlls(self.process.files, &self.torch.folder.join("lib")) {
            let mut attempt = self.process.open(&path, Regime::Flags);
            if attempt.error_code == Some(MODULE_NOT_FOUND) {
                if !path_patched {
                    self.process.path.splice(0..0, folders.iter().cloned());
                    path_patched = true;
                }
                attempt = self.process.open(&path, Regime::Legacy);
                if attempt.error_code.is_none() {
                    self.record.notes.push(format!("`{}` is loaded only because `PATH` is searched", path.display()));
                }
            }
            self.finish(&path, attempt, &mut prediction);
        }
        for path in self.extension_modules() {
            let attempt = self.process.open(&path, Regime::Flags);
            self.finish(&path, attempt, &mut prediction);
        }
        prediction
    }

    /// What `from torch._C import *` opens.
    fn extension_modules(&self) -> Vec<PathBuf> {
        let mut names: Vec<String> = self
            .process
            .files
            .list(&self.torch.folder)
            .unwrap_or_default()
            .into_iter()
            .map(|entry| entry.name)
            .filter(|name| matches_name("_C.*pyd", name))
            .collect();
        names.sort();
        names.iter().map(|name| self.torch.folder.join(name)).collect()
    }

    fn finish(&mut self, path: &Path, attempt: Attempt, prediction: &mut Option<Predicted>) {
        if let Some(error_code) = attempt.error_code {
            prediction.get_or_insert(Predicted { error_code, named: path.to_owned() });
        }
        self.record.add(attempt.reports);
        self.record.opened(path);
    }

    /// What loaded DLLs look up by plain name when they run, and what that looks up in turn.
    fn look_up(&mut self) {
        let mut index = 0;
        while let Some(module) = self.process.modules.get(index).cloned() {
            index += 1;
            for row in self.process.facts.lookups(&module.name) {
                for pattern in row.names.iter().filter(|name| Optional::of(name).is_none()) {
                    let found =
                        self.find_pattern(pattern).and_then(|name| self.process.open_name(&name, Regime::Legacy));
                    match found {
                        Some(attempt) if attempt.error_code.is_none() || !row.optional => {
                            self.record.add(attempt.reports);
                        }
                        Some(_) => {}
                        None if row.optional => {}
                        None => {
                            let name = pattern.clone();
                            self.record.tell(&module.path, Problem::LookupMissing { name, by: module.path.clone() });
                        }
                    }
                }
            }
        }
    }

    /// The name that a DLL looks up, where the model knows only its pattern.
    fn find_pattern(&self, pattern: &str) -> Option<String> {
        if !pattern.contains('*') {
            return Some(pattern.to_owned());
        }
        if let Some(module) = self.process.loaded(pattern) {
            return Some(module.name.clone());
        }
        self.process.folders(None, Regime::Legacy).iter().find_map(|folder| {
            let entries = self.process.files.list(folder)?;
            entries.into_iter().map(|entry| entry.name).find(|name| matches_name(pattern, name))
        })
    }
}

/// What became of each DLL; one that is tried again has one entry.
#[derive(Default)]
struct Record {
    libraries: Vec<LibraryReport>,
    places: BTreeMap<String, usize>,
    notes: Vec<String>,
}

impl Record {
    fn add(&mut self, reports: Vec<LibraryReport>) {
        for mut report in reports {
            let place = *self.places.entry(identity(&report.path)).or_insert(self.libraries.len());
            match self.libraries.get_mut(place) {
                None => self.libraries.push(report),
                Some(known) => {
                    known.opened |= report.opened;
                    // A name may have meant another file then.
                    let new: Vec<Need> = report.needs.into_iter().filter(|need| !known.needs.contains(need)).collect();
                    known.needs.retain(|need| need.path.is_some() || !new.iter().any(|other| other.name == need.name));
                    known.needs.extend(new);
                    report.problems.retain(|problem| !known.problems.contains(problem));
                    known.problems.append(&mut report.problems);
                }
            }
        }
    }

    fn opened(&mut self, path: &Path) {
        if let Some(library) = self.places.get(&identity(path)).and_then(|place| self.libraries.get_mut(*place)) {
            library.opened = true;
        }
    }

    /// Tells a problem of a DLL that is known.
    fn tell(&mut self, path: &Path, problem: Problem) {
        if let Some(library) = self.places.get(&identity(path)).and_then(|place| self.libraries.get_mut(*place))
            && !library.problems.contains(&problem)
        {
            library.problems.push(problem);
        }
    }
}
