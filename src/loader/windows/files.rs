//! What the model asks of the file system, and paths as Windows compares them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::loader::problem::identity;
use crate::pe::{PeFault, PeImage};

/// What the model asks of the file system; names are found without regard to case.
pub trait DllFiles {
    /// The DLL at `path`; `None` when there is no file.
    fn image(&self, path: &Path) -> Option<Result<Rc<PeImage>, PeFault>>;

    /// The path of a file as the file system spells it.
    fn spelled(&self, path: &Path) -> PathBuf;

    /// What is in a folder, in any order; `None` when there is no such folder.
    fn list(&self, folder: &Path) -> Option<Vec<FolderEntry>>;

    /// The names of the DLLs in torch's `lib` folder that distributions brought, in lower case; `None` where that is
    /// not known. Asked only when something is wrong.
    fn recorded(&self, torch: &Path) -> Option<BTreeSet<String>>;
}

/// A file or folder in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderEntry {
    /// Its name.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// Whether `path` is in `folder`, at any depth.
pub(super) fn is_within(path: &Path, folder: &Path) -> bool {
    Path::new(&identity(path)).starts_with(identity(folder))
}

/// A folder below another, its parts separated by `/`.
pub(super) fn below(folder: &Path, parts: &str) -> PathBuf {
    parts.split('/').filter(|part| !part.is_empty()).fold(folder.to_owned(), |path, part| path.join(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_without_regard_to_case() {
        let (lib, same) = (Path::new("/Venv Ä/Lib/./x.dll"), Path::new("/venv ä/lib/y/../X.DLL"));
        assert_eq!(identity(lib), identity(same));
        assert_eq!(identity(Path::new(r"\\?\C:\X")), r"c:\x");
        assert_eq!(identity(Path::new(r"\\?\UNC\host\share\x")), r"\\host\share\x");
        assert!(is_within(lib, Path::new("/VENV Ä/lib")) && !is_within(lib, Path::new("/venv")));
    }
}
