//! Files that programs are using while their environment changes; on Windows such a file can be renamed at most.
//!
//! A library that a Python has loaded may be renamed and goes when that Python ends; a folder with one in it may not,
//! so its files are moved one by one. A file that is open in any other way stays where it is, and the change is undone.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::InstallError;
use super::files::Files;
use super::removal::Removal;
use crate::host::is_in_use;
use crate::machine;

/// What a program can have loaded, by the ends of names.
const LOADABLE: [&str; 3] = [".dll", ".pyd", ".exe"];

/// More files than programs are asked about.
const MOST_ASKED_ABOUT: usize = 2000;

/// Takes apart the folders of `removal` in which loaded files lie, and lists those files.
pub fn spare_folders_in_use(
    root: &Path,
    removal: &mut Removal,
    files: &dyn Files,
) -> Result<Vec<PathBuf>, InstallError> {
    let mut loaded = Vec::new();
    let mut going = BTreeSet::new();
    for path in std::mem::take(&mut removal.paths).into_values() {
        take_apart(root, path, files, &mut loaded, &mut going)?;
    }
    for path in going {
        removal.add(path);
    }
    Ok(loaded)
}

/// Adds `path` to what goes, or what is in it where something of that is loaded; says whether something is.
fn take_apart(
    root: &Path,
    path: String,
    files: &dyn Files,
    loaded: &mut Vec<PathBuf>,
    going: &mut BTreeSet<String>,
) -> Result<bool, InstallError> {
    let full = root.join(&path);
    let metadata = match fs_err::symlink_metadata(&full) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    if !metadata.is_dir() {
        let is_loaded = is_loadable(&full) && files.is_loaded(&full);
        if is_loaded {
            loaded.push(full);
        }
        going.insert(path);
        return Ok(is_loaded);
    }
    let mut below = BTreeSet::new();
    let mut any = false;
    for entry in fs_err::read_dir(&full)? {
        let name = entry?.file_name();
        // A name that is not Unicode cannot be written down: it is left where it is, with its folder.
        let Some(name) = name.to_str() else { continue };
        any |= take_apart(root, format!("{path}/{name}"), files, loaded, &mut below)?;
    }
    if any {
        going.append(&mut below);
    } else {
        going.insert(path);
    }
    Ok(any)
}

fn is_loadable(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    LOADABLE.iter().any(|end| name.ends_with(end))
}

/// What it means that `path` cannot be renamed or removed: the programs that use it, where there are any, are named.
pub fn explained(path: &Path, error: io::Error) -> InstallError {
    let is_open = is_in_use(&error);
    if !is_open && error.kind() != io::ErrorKind::PermissionDenied {
        return error.into();
    }
    let mut below = Vec::new();
    files_below(path, &mut below);
    let holders = machine::programs_using(&below);
    if is_open || !holders.is_empty() { InstallError::in_use(error, &holders) } else { error.into() }
}

/// The files at and below `path`, as far as they can be listed and no more than can be asked about.
fn files_below(path: &Path, found: &mut Vec<PathBuf>) {
    if found.len() >= MOST_ASKED_ABOUT {
        return;
    }
    match fs_err::read_dir(path) {
        Ok(entries) => entries.flatten().for_each(|entry| files_below(&entry.path(), found)),
        Err(_) => found.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The real disk, on which some files count as loaded.
    struct Loaded(&'static str);

    impl Files for Loaded {
        fn is_loaded(&self, path: &Path) -> bool {
            path.ends_with(self.0)
        }
    }

    #[test]
    fn only_the_folders_above_a_loaded_library_are_taken_apart() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in ["torch/__init__.py", "torch/lib/c10.dll", "torch/lib/uv.dll", "torch/nn/a.py", "torch/nn/b.py"] {
            fs_err::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs_err::write(root.join(path), "").unwrap();
        }
        let removal = || {
            let mut removal = Removal::default();
            removal.add("torch".to_owned());
            removal.add("gone".to_owned());
            removal
        };
        let mut spared = removal();
        let loaded = spare_folders_in_use(root, &mut spared, &Loaded("lib/c10.dll")).unwrap();
        assert_eq!(loaded, [root.join("torch/lib/c10.dll")]);
        let expected = ["torch/__init__.py", "torch/lib/c10.dll", "torch/lib/uv.dll", "torch/nn"];
        // Their order is that of names without case, where there is none.
        let spared: BTreeSet<&str> = spared.paths.values().map(String::as_str).collect();
        assert_eq!(spared.into_iter().collect::<Vec<_>>(), expected);
        let mut whole = removal();
        assert!(spare_folders_in_use(root, &mut whole, &Loaded("no.dll")).unwrap().is_empty());
        assert_eq!(whole.paths.values().map(String::as_str).collect::<Vec<_>>(), ["torch"]);
    }
}
