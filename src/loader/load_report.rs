//! What the models of the system's loaders find: per library, what it needs and what is wrong.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::problem::Problem;
use crate::vocab::{FileVersion, Version};

/// What the system's loader will do with torch's libraries.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LoadReport {
    /// torch's folder; `None` when the environment has no torch.
    pub torch: Option<PathBuf>,
    /// Every library that is loaded, or was to be, in that order.
    pub libraries: Vec<LibraryReport>,
    /// What is worth knowing and no problem, in sentences.
    pub notes: Vec<String>,
    /// How `import torch` ends, where it fails; on Windows only.
    pub prediction: Option<Predicted>,
    /// What is known beyond the libraries themselves; on Windows only.
    pub surroundings: LibrarySurroundings,
}

/// How `import torch` fails on Windows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Predicted {
    /// The error of Windows, `WinError` in the message: 126, 127, 193…
    pub error_code: u32,
    /// The DLL that the message names. It is the first one that cannot be loaded, seldom the one that is at fault.
    pub named: PathBuf,
}

impl fmt::Display for Predicted {
    /// In the words of torch's own message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error_code, named } = self;
        write!(f, "[WinError {error_code}] Error loading \"{}\" or one of its dependencies", named.display())
    }
}

/// What decides how problems can be fixed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LibrarySurroundings {
    /// The release of torch.
    pub version: Option<Version>,
    /// The folder of the program, which outranks all but that of the DLL itself: where the base Python lies.
    pub application: Option<PathBuf>,
    /// DLLs in torch's `lib` folder that neither a distribution nor torchfix brought.
    pub foreign: Vec<PathBuf>,
    /// DLLs in torch's `lib` folder that torchfix put there.
    pub added: Vec<PathBuf>,
    /// DLLs elsewhere in the environment that problems are about, and what these need.
    pub copies: Vec<LibraryCopy>,
}

/// A DLL that lies in the environment, outside of torch's `lib` folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LibraryCopy {
    /// Its name, in lower case.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Its version.
    pub version: Option<FileVersion>,
    /// The names that it needs or looks up and that are in the environment, torch's `lib` folder included, in lower case.
    pub needs: Vec<String>,
    /// Whether torch's `lib` folder has a DLL of the same name.
    pub in_lib: bool,
    /// The version of that one.
    pub lib_version: Option<FileVersion>,
    /// Whether that one is this very DLL, as far as a loader sees.
    pub in_lib_too: bool,
}

impl LoadReport {
    /// What keeps libraries from being loaded, each once, in the order it is met.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        let mut problems: Vec<&Problem> = Vec::new();
        for problem in self.libraries.iter().flat_map(|library| &library.problems) {
            // A damaged library fails everyone who needs it.
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        problems.into_iter()
    }

    /// Whether everything loads as far as the model knows.
    pub fn loads(&self) -> bool {
        self.problems().next().is_none()
    }

    /// How a problem reaches torch: from the first library that is opened by name and fails of it, each needed by the
    /// one before, to the one that the problem is told of.
    pub fn chain(&self, problem: &Problem) -> Vec<&Path> {
        let places: BTreeMap<&Path, usize> =
            self.libraries.iter().enumerate().map(|(place, library)| (library.path.as_path(), place)).collect();
        let opened = self.libraries.iter().enumerate().filter(|(_, library)| library.opened);
        opened.map(|(place, _)| self.chain_from(place, problem, &places)).find(|it| !it.is_empty()).unwrap_or_default()
    }

    /// The shortest way from a library to a problem.
    fn chain_from(&self, start: usize, problem: &Problem, places: &BTreeMap<&Path, usize>) -> Vec<&Path> {
        let mut came_from: BTreeMap<usize, usize> = BTreeMap::new();
        let mut waiting = VecDeque::from([start]);
        while let Some(place) = waiting.pop_front() {
            let library = &self.libraries[place];
            if library.problems.contains(problem) {
                let way = std::iter::successors(Some(place), |place| came_from.get(place).copied());
                let mut chain: Vec<&Path> = way.map(|place| self.libraries[place].path.as_path()).collect();
                chain.reverse();
                return chain;
            }
            let needed = library.needs.iter().filter_map(|need| places.get(need.path.as_deref()?).copied());
            for next in needed.filter(|next| *next != start) {
                if let Entry::Vacant(entry) = came_from.entry(next) {
                    entry.insert(place);
                    waiting.push_back(next);
                }
            }
        }
        Vec::new()
    }
}

/// One library.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LibraryReport {
    /// Where it lies.
    pub path: PathBuf,
    /// Whether it is opened by name, not only needed by another.
    pub opened: bool,
    /// The libraries it needs, in order.
    pub needs: Vec<Need>,
    /// What keeps it from being loaded.
    pub problems: Vec<Problem>,
}

/// A library that another needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Need {
    /// The name it is needed by.
    pub name: String,
    /// Where it is found; `None` when it is not.
    pub path: Option<PathBuf>,
}
