//! What keeps a library from being loaded, or from serving.

use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use super::elf::ElfFault;
use crate::pe::{PeFault, PeMachine};
use crate::vocab::FileVersion;

/// What keeps a library from being loaded, or from serving once it is.
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
    /// The file is no DLL that could be loaded.
    #[error("`{}` {fault}", path.display())]
    Unloadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: PeFault,
    },
    /// The only DLL of the name is for another processor.
    #[error("`{}` is for another processor ({machine})", path.display())]
    WrongMachine {
        /// The file.
        path: PathBuf,
        /// What it is for.
        machine: PeMachine,
    },
    /// The DLL that is found does not export what is needed of it.
    #[error("`{}` needs `{symbol}` of `{}`, which does not export it{}", by.display(), provider.display(), more(*others))]
    ExportMissing {
        /// What is missing.
        symbol: String,
        /// How much else is.
        others: usize,
        /// The DLL that should export it.
        provider: PathBuf,
        /// The DLL that needs it.
        by: PathBuf,
    },
    /// The C runtime that is found is so old that the DLL crashes.
    #[error("`{}` crashes with `{}`, which is {have}: it needs {need} or newer", by.display(), provider.display())]
    RuntimeTooOld {
        /// The C runtime.
        provider: PathBuf,
        /// Its version.
        have: FileVersion,
        /// The lowest version that would do.
        need: FileVersion,
        /// The DLL that needs it.
        by: PathBuf,
    },
    /// A DLL that is looked up at run time is nowhere.
    #[error("`{}` looks up `{name}` when it runs, which is nowhere on the search path", by.display())]
    LookupMissing {
        /// The DLL that is missing.
        name: String,
        /// The DLL that looks it up.
        by: PathBuf,
    },
    /// A DLL comes from outside of the environment, which has its own.
    #[error(
        "`{}`{} is loaded instead of the environment's own `{}`{}",
        found.display(), version(*have), own.display(), version(*own_version)
    )]
    Shadowed {
        /// What is loaded.
        found: PathBuf,
        /// Its version.
        have: Option<FileVersion>,
        /// The environment's own.
        own: PathBuf,
        /// Its version.
        own_version: Option<FileVersion>,
    },
    /// DLLs that work in one version only come in several.
    #[error("{title} is loaded in several versions: {}", list(files))]
    MixedVersions {
        /// What they are together.
        title: String,
        /// The DLLs whose versions are known.
        files: Vec<VersionedFile>,
    },
    /// A process must not hold two of these.
    #[error("`{}` and `{}` are both loaded, and a process that holds two ends: {says}", first.display(), second.display())]
    LoadedTwice {
        /// What is loaded first.
        first: PathBuf,
        /// What is loaded then.
        second: PathBuf,
        /// How it ends.
        says: String,
    },
}

/// A file and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionedFile {
    /// The file.
    pub path: PathBuf,
    /// Its version.
    pub version: FileVersion,
}

impl Problem {
    /// The file name of the library that is at fault, in lower case.
    pub fn culprit(&self) -> String {
        match self {
            Self::Missing { name, .. } | Self::LookupMissing { name, .. } => folded(name),
            Self::Faulty { path, .. } | Self::Unloadable { path, .. } | Self::WrongMachine { path, .. } => {
                file_name(path)
            }
            Self::VersionMissing { provider, .. }
            | Self::ExportMissing { provider, .. }
            | Self::RuntimeTooOld { provider, .. } => file_name(provider),
            Self::Shadowed { found, .. } => file_name(found),
            Self::MixedVersions { files, .. } => files.first().map(|file| file_name(&file.path)).unwrap_or_default(),
            Self::LoadedTwice { second, .. } => file_name(second),
        }
    }
}

/// Whether two paths are those of one file, as Windows compares them.
pub(super) fn is_same_path(one: &Path, other: &Path) -> bool {
    identity(one) == identity(other)
}

/// The one form of a path by which Windows tells it from others; `\\?\C:\x` is `C:\x`.
pub(super) fn identity(path: &Path) -> String {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    let text = folded(&plain.to_string_lossy());
    match (text.strip_prefix(r"\\?\unc\"), text.strip_prefix(r"\\?\")) {
        (Some(share), _) => format!(r"\\{share}"),
        (None, Some(local)) => local.to_owned(),
        (None, None) => text,
    }
}

/// The name of a file, in lower case.
pub(super) fn file_name(path: &Path) -> String {
    folded(&path.file_name().unwrap_or_default().to_string_lossy())
}

/// A name or path such that two by which Windows finds the same file are equal, in lower case: character by character,
/// each to one, as its file systems do it.
pub(super) fn folded(text: &str) -> String {
    fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
        all.next().filter(|_| all.next().is_none())
    }
    let fold = |character: char| {
        let upper = only(character.to_uppercase()).unwrap_or(character);
        // `ẞ` becomes `ß`, which has no capital: they stay two.
        only(upper.to_lowercase()).filter(|lower| only(lower.to_uppercase()) == Some(upper)).unwrap_or(upper)
    };
    text.chars().map(fold).collect()
}

fn more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(" (nor {others} more)") }
}

fn version(version: Option<FileVersion>) -> String {
    version.map(|version| format!(" ({version})")).unwrap_or_default()
}

fn list(files: &[VersionedFile]) -> String {
    let files: Vec<String> = files.iter().map(|file| format!("`{}` {}", file.path.display(), file.version)).collect();
    files.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venv::Flavour;

    #[test]
    fn names_are_folded_as_those_of_installed_files_are() {
        assert_eq!(folded(r"C:\Ä\É.DLL"), r"c:\ä\é.dll");
        let characters: Vec<String> = "aAäÄßẞσςΣıİiIKkſsé".chars().map(String::from).collect();
        for one in &characters {
            assert_eq!(folded(&folded(one)), folded(one), "{one}");
            for other in &characters {
                let same = Flavour::Windows.folded(one) == Flavour::Windows.folded(other);
                assert_eq!(folded(one) == folded(other), same, "{one} {other}");
            }
        }
    }
}
