//! What the model of the dynamic linker finds: per library, what it needs and what is wrong.

use std::path::PathBuf;

use serde::Serialize;

use super::elf::ElfFault;

/// What the dynamic linker will do with torch's libraries.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LoadReport {
    /// torch's folder; `None` when the environment has no torch.
    pub torch: Option<PathBuf>,
    /// Every library that is loaded, or was to be, in that order.
    pub libraries: Vec<LibraryReport>,
    /// What is worth knowing and no problem, in sentences.
    pub notes: Vec<String>,
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

/// What keeps a library from being loaded.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Problem {
    /// A library it needs is nowhere.
    #[error("`{}` needs `{name}`, which is nowhere on its search path", by.display())]
    Missing {
        /// The library that is missing.
        name: String,
        /// The library that needs it.
        by: PathBuf,
    },
    /// The file is no library that could be loaded here.
    #[error("`{}` {fault}", path.display())]
    Faulty {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: ElfFault,
    },
    /// The library that is found is too old, or another one altogether.
    #[error("`{}` needs version `{version}` of `{}`, which does not have it", by.display(), provider.display())]
    VersionMissing {
        /// The symbol version.
        version: String,
        /// The library that should define it.
        provider: PathBuf,
        /// The library that needs it.
        by: PathBuf,
    },
}
