//! New virtual environments (PEP 405), as `python -m venv --without-pip` makes them.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::contents::contents;
use super::new_environment::{Made, missing_parents};
use super::{Created, Flavour, NewEnvironment, VenvError};
use crate::host::{self, resolve_links};

/// The Python that an environment is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasePython {
    /// Its executable, as `sys._base_executable` gives it.
    pub executable: PathBuf,
    /// Its version in full, `3.12.9`.
    pub version: String,
    /// Its prefix, `sys.base_prefix`.
    pub prefix: PathBuf,
    /// Whether it runs without the global interpreter lock.
    pub free_threaded: bool,
    /// Whether it is a 64-bit build for Linux or another system where `lib64` stands beside `lib`.
    pub has_lib64: bool,
}

/// How an environment is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreateOptions {
    /// Whether it sees the packages of its base.
    pub system_site_packages: bool,
    /// What the shell's prompt calls it; its folder's name where none is given.
    pub prompt: Option<String>,
    /// The process's working directory, which is filled rather than replaced where it is the place itself.
    pub working_directory: Option<PathBuf>,
}

/// Makes an environment at `root`, which does not exist or is an empty folder.
///
/// It is built beside its place and renamed, so that it is there whole or not at all. Of two at once in one place one
/// makes it, and the other is told that it is there.
pub fn create_for(root: &Path, base: &BasePython, options: &CreateOptions) -> Result<Created, VenvError> {
    let parent = match root.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let parents = missing_parents(root);
    fs_err::create_dir_all(parent)?;
    let exists = fs_err::metadata(root).is_ok();
    if exists && (!root.is_dir() || fs_err::read_dir(root)?.next().is_some()) {
        return already_there(root);
    }
    // Where the place exists it is resolved, so that a link to it stays a link.
    let root = if exists { resolve_links(root)? } else { resolve_links(parent)?.join(name_of(root)?) };
    let beside = root.parent().unwrap_or(&root);
    let staging = tempfile::Builder::new().prefix(".torchfix-venv-").tempdir_in(beside)?;
    // A temporary folder is private to its owner; the environment gets the usual permissions.
    let tree = staging.path().join("venv");
    fs_err::create_dir(&tree)?;
    let items = contents(&root, base, options, Flavour::NATIVE)?;
    for item in &items {
        item.write(&tree)?;
    }
    let is_here = options.working_directory.as_ref().and_then(|here| resolve_links(here).ok()) == Some(root.clone());
    match place(&tree, &root, exists, is_here) {
        Ok(()) => {
            let made = Made { root, folder_was_there: exists, parents, items };
            Ok(Created::New(NewEnvironment::of(made)))
        }
        Err(error) if is_taken(&error) => already_there(&root),
        Err(error) => Err(error.into()),
    }
}

/// Puts what was built into its place, where nothing is or an empty folder.
fn place(tree: &Path, root: &Path, exists: bool, is_here: bool) -> io::Result<()> {
    if is_here {
        return fill(tree, root);
    }
    if exists && cfg!(windows) {
        fs_err::remove_dir(root)?;
    }
    match host::rename(tree, root) {
        Err(error) if exists && cfg!(windows) && fs_err::create_dir(root).is_ok() => Err(error),
        // A mount point cannot be replaced, only filled.
        Err(error) if exists && matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices) => {
            fill(tree, root)
        }
        done => done,
    }
}

/// Moves what was built into a folder that has to stay the same folder.
///
/// The folder of programs comes first: no second one can be moved onto it, so who fails at it is not alone. Last comes
/// `pyvenv.cfg`, which makes it an environment.
fn fill(tree: &Path, root: &Path) -> io::Result<()> {
    let mut names: Vec<_> = fs_err::read_dir(tree)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    names.sort_by_key(|name| (name == "pyvenv.cfg", name != Flavour::NATIVE.scripts()));
    for name in names {
        fs_err::rename(tree.join(&name), root.join(&name))?;
    }
    Ok(())
}

/// Whether something has come to lie where something was to be put.
fn is_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory, PermissionDenied};
    match error.kind() {
        AlreadyExists | DirectoryNotEmpty | NotADirectory => true,
        // What Windows says of a folder that is in the way.
        kind => cfg!(windows) && kind == PermissionDenied,
    }
}

/// Tells an environment from something else where nothing was to be; one that is being filled is waited for.
fn already_there(root: &Path) -> Result<Created, VenvError> {
    let is_environment =
        || fs_err::metadata(root.join("pyvenv.cfg")).is_ok_and(|configuration| configuration.is_file());
    let begun = root.join(Flavour::NATIVE.scripts()).join("activate");
    for _ in 0..100 {
        if is_environment() {
            return Ok(Created::AlreadyThere);
        }
        if !begun.is_file() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(VenvError::NotEmpty { path: root.to_owned() })
}

fn name_of(root: &Path) -> Result<&std::ffi::OsStr, VenvError> {
    root.file_name().ok_or_else(|| VenvError::NotEmpty { path: root.to_owned() })
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn base(executable: &str) -> BasePython {
        BasePython {
            executable: PathBuf::from(executable),
            version: "3.13.1".to_owned(),
            prefix: PathBuf::from("/usr"),
            free_threaded: false,
            has_lib64: true,
        }
    }

    fn made_in(root: &Path, here: bool) -> Created {
        let working_directory = here.then(|| root.to_owned());
        let options = CreateOptions { working_directory, ..CreateOptions::default() };
        create_for(root, &base("/usr/bin/python3"), &options).unwrap()
    }

    fn names(folder: &Path) -> Vec<std::ffi::OsString> {
        let mut names: Vec<_> = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    fn keep(created: Created) {
        match created {
            Created::New(new) => new.keep(),
            Created::AlreadyThere => panic!("it was there already"),
        }
    }

    #[test]
    fn an_empty_folder_is_used_and_another_refused() {
        let folder = tempfile::tempdir().unwrap();
        let here = fs_err::canonicalize(folder.path()).unwrap();
        let root = here.join("a").join("venv");
        keep(made_in(&root, false));
        assert!(matches!(made_in(&root, false), Created::AlreadyThere));
        let refused = create_for(&here, &base("/usr/bin/python3"), &CreateOptions::default());
        assert!(matches!(refused, Err(VenvError::NotEmpty { .. })), "{refused:?}");
        let empty = here.join("empty");
        fs_err::create_dir(&empty).unwrap();
        keep(made_in(&empty, true));
        assert!(empty.join("pyvenv.cfg").is_file() && empty.join("lib64/python3.13/site-packages").is_dir());
        assert_eq!(names(&here), ["a", "empty"], "nothing is left beside");
    }

    #[test]
    fn what_is_not_kept_goes_with_all_that_was_made_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let here = fs_err::canonicalize(folder.path()).unwrap();
        let (root, empty) = (here.join("a/b/venv"), here.join("empty"));
        fs_err::create_dir(&empty).unwrap();
        for (root, is_here) in [(&root, false), (&empty, false), (&empty, true)] {
            let created = made_in(root, is_here);
            // What a change that was rolled back leaves.
            fs_err::create_dir(root.join(".torchfix")).unwrap();
            fs_err::write(root.join(".torchfix/lock"), "").unwrap();
            drop(created);
            assert_eq!(names(&here), ["empty"]);
            assert_eq!(names(&empty), [""; 0]);
        }
    }

    #[test]
    fn what_holds_anything_else_stays_whole() {
        let folder = tempfile::tempdir().unwrap();
        let here = fs_err::canonicalize(folder.path()).unwrap();
        let foreign = [
            "mine.txt",
            "lib/python3.13/site-packages/mine.py",
            "bin/tool",
            "bin/activate",
            ".torchfix/transaction/journal",
            "mine/.keep",
        ];
        for (index, path) in foreign.into_iter().enumerate() {
            let root = here.join(index.to_string());
            let Created::New(new) = made_in(&root, false) else { panic!("{path}") };
            fs_err::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs_err::write(root.join(path), "mine").unwrap();
            let before = names(&root);
            assert!(!new.remove().unwrap(), "{path}");
            assert_eq!(names(&root), before, "{path}");
            assert!(root.join("bin/python").symlink_metadata().is_ok(), "{path}");
        }
        let root = here.join("used");
        let Created::New(new) = made_in(&root, false) else { panic!("it was made") };
        fs_err::create_dir(root.join(".torchfix")).unwrap();
        let lock = fs_err::File::create(root.join(".torchfix/lock")).unwrap();
        lock.file().lock().unwrap();
        assert!(!new.remove().unwrap() && root.join("pyvenv.cfg").is_file(), "another torchfix is at work in it");
    }

    #[test]
    fn of_many_at_once_one_makes_it() {
        for is_here in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let root = fs_err::canonicalize(folder.path()).unwrap().join("venv");
            fs_err::create_dir(&root).unwrap();
            let created: Vec<Created> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| made_in(&root, is_here))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(root.join("pyvenv.cfg").is_file() && root.join("bin/python").symlink_metadata().is_ok());
            let mut made = created.into_iter().filter(|created| matches!(created, Created::New(_)));
            keep(made.next().unwrap());
            assert!(made.next().is_none());
            assert_eq!(names(folder.path()), ["venv"]);
        }
    }
}
