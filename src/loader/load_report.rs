//! What the models of the system's loaders find: per library, what it needs and what is wrong.

use std::collections::{BTreeMap, VecDeque};
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

/// What decides how problems can be fixed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LibrarySurroundings {
    /// The release of torch.
    pub version: Option<Version>,
    /// The folder of the program, which outranks all but that of the DLL itself: where the base Python lies.
    pub application: Option<PathBuf>,
    /// DLLs in torch's `lib` folder that no distribution brought.
    pub foreign: Vec<PathBuf>,
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
    /// The names that it needs or looks up and that are in the environment, in lower case.
    pub needs: Vec<String>,
    /// Whether torch's `lib` folder has a DLL of the same name.
    pub in_lib: bool,
    /// The version of that one.
    pub lib_version: Option<FileVersion>,
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

    /// How a problem reaches torch: from a library that is opened by name, each needed by the one before, to the one
    /// that the problem is told of.
    pub fn chain(&self, problem: &Problem) -> Vec<&Path> {
        let of = |path: &Path| self.libraries.iter().position(|library| library.path == path);
        let mut came_from: BTreeMap<usize, Option<usize>> = BTreeMap::new();
        let mut waiting: VecDeque<usize> = VecDeque::new();
        for (index, _) in self.libraries.iter().enumerate().filter(|(_, library)| library.opened) {
            came_from.insert(index, None);
            waiting.push_back(index);
        }
        while let Some(index) = waiting.pop_front() {
            if self.libraries[index].problems.contains(problem) {
                let mut chain = Vec::new();
                let mut at = Some(index);
                while let Some(library) = at {
                    chain.push(self.libraries[library].path.as_path());
                    at = came_from.get(&library).copied().flatten();
                }
                chain.reverse();
                return chain;
            }
            for path in self.libraries[index].needs.iter().filter_map(|need| need.path.as_deref()) {
                if let Some(next) = of(path)
                    && !came_from.contains_key(&next)
                {
                    came_from.insert(next, Some(index));
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
