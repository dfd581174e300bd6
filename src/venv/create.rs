//! New virtual environments (PEP 405), as `python -m venv --without-pip` makes them.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::activate::activation_scripts;
use super::new_environment::{Made, missing_parents};
use super::{Created, Flavour, NewEnvironment, VenvError};

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
    let root = if exists { fs_err::canonicalize(root)? } else { fs_err::canonicalize(parent)?.join(name_of(root)?) };
    let beside = root.parent().unwrap_or(&root);
    let staging = tempfile::Builder::new().prefix(".torchfix-venv-").tempdir_in(beside)?;
    // A temporary folder is private to its owner; the environment gets the usual permissions.
    let tree = staging.path().join("venv");
    fs_err::create_dir(&tree)?;
    let items = contents(&root, base, options, Flavour::NATIVE);
    for item in &items {
        item.write(&tree)?;
    }
    let is_here = options.working_directory.as_ref().is_some_and(|here| *here == root);
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
    match fs_err::rename(tree, root) {
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

/// One thing in a new environment, its path relative to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Folder(String),
    Link { path: String, target: PathBuf },
    Copy { path: String, from: PathBuf },
    Text { path: String, text: String },
}

impl Item {
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Folder(path) | Self::Link { path, .. } | Self::Copy { path, .. } | Self::Text { path, .. } => path,
        }
    }

    /// Whether this, and not something else, lies at `path`, where something does that is no folder.
    pub(super) fn is_at(&self, path: &Path) -> io::Result<bool> {
        let metadata = fs_err::symlink_metadata(path)?;
        match self {
            Self::Folder(_) => Ok(false),
            Self::Link { target, .. } if metadata.is_symlink() => Ok(fs_err::read_link(path)? == *target),
            Self::Link { .. } => Ok(cfg!(not(unix)) && metadata.is_file()),
            Self::Copy { .. } => Ok(metadata.is_file()),
            Self::Text { text, .. } => {
                let may_be = metadata.is_file() && metadata.len() == text.len() as u64;
                Ok(may_be && fs_err::read(path)? == text.as_bytes())
            }
        }
    }

    fn write(&self, tree: &Path) -> Result<(), VenvError> {
        match self {
            Self::Folder(path) => fs_err::create_dir_all(tree.join(path))?,
            #[cfg(unix)]
            Self::Link { path, target } => fs_err::os::unix::fs::symlink(target, tree.join(path))?,
            // Only POSIX layouts have links; they are copies where there are none.
            #[cfg(not(unix))]
            Self::Link { path, target } => drop(fs_err::copy(target, tree.join(path))?),
            Self::Copy { path, from } => drop(fs_err::copy(from, tree.join(path))?),
            Self::Text { path, text } => fs_err::write(tree.join(path), text)?,
        }
        Ok(())
    }
}

/// What a new environment at `root` consists of, folders before what is in them.
fn contents(root: &Path, base: &BasePython, options: &CreateOptions, flavour: Flavour) -> Vec<Item> {
    let mut items = match flavour {
        Flavour::Posix => posix_contents(base),
        Flavour::Windows => windows_contents(base),
    };
    let prompt = options.prompt.clone().or_else(|| Some(root.file_name()?.to_string_lossy().into_owned()));
    let scripts = flavour.scripts();
    for (name, text) in activation_scripts(root, &prompt.unwrap_or_default(), flavour) {
        items.push(Item::Text { path: format!("{scripts}/{name}"), text });
    }
    items.push(Item::Text { path: ".gitignore".to_owned(), text: "*\n".to_owned() });
    items.push(Item::Text { path: "pyvenv.cfg".to_owned(), text: configuration(root, base, options) });
    items
}

fn configuration(root: &Path, base: &BasePython, options: &CreateOptions) -> String {
    let home = base.executable.parent().unwrap_or(Path::new("")).display();
    let resolved = fs_err::canonicalize(&base.executable).unwrap_or_else(|_| base.executable.clone());
    let prompt = options.prompt.as_ref().map(|prompt| format!("prompt = '{prompt}'\n")).unwrap_or_default();
    format!(
        "home = {home}\ninclude-system-site-packages = {}\nversion = {}\n{prompt}executable = {}\ncommand = {} -m venv --without-pip {}\n",
        options.system_site_packages,
        base.version,
        resolved.display(),
        base.executable.display(),
        root.display(),
    )
}

fn posix_contents(base: &BasePython) -> Vec<Item> {
    let minor = minor_version(&base.version);
    let folder = format!("python{minor}{}", if base.free_threaded { "t" } else { "" });
    let mut items = vec![
        Item::Folder("bin".to_owned()),
        Item::Folder(format!("include/{folder}")),
        Item::Folder(format!("lib/{folder}/site-packages")),
    ];
    if base.has_lib64 {
        items.push(Item::Link { path: "lib64".to_owned(), target: PathBuf::from("lib") });
    }
    // One name links to the base, the others to that name.
    let mut names = vec!["python".to_owned(), "python3".to_owned(), format!("python{minor}")];
    if base.free_threaded {
        names.push(format!("python{minor}t"));
    }
    let own = base.executable.file_name().and_then(|name| name.to_str()).filter(|name| names.iter().any(|n| n == name));
    let first = own.unwrap_or("python").to_owned();
    items.push(Item::Link { path: format!("bin/{first}"), target: base.executable.clone() });
    for name in names.iter().filter(|name| **name != first) {
        items.push(Item::Link { path: format!("bin/{name}"), target: PathBuf::from(&first) });
    }
    items
}

/// Windows has no usable links: small launchers that come with Python stand for it and read `pyvenv.cfg`.
fn windows_contents(base: &BasePython) -> Vec<Item> {
    let launchers = base.prefix.join("Lib").join("venv").join("scripts").join("nt");
    let minor: u32 = minor_version(&base.version).split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0);
    let mut items: Vec<_> =
        ["Scripts", "Include", "Lib/site-packages"].map(|path| Item::Folder(path.to_owned())).into();
    for (name, renamed) in [("python.exe", "venvlauncher"), ("pythonw.exe", "venvwlauncher")] {
        // Renamed in 3.13, with a debug-free and a free-threaded kind.
        let source = match (minor, base.free_threaded) {
            (..13, _) => name.to_owned(),
            (_, false) => format!("{renamed}.exe"),
            (_, true) => format!("{renamed}t.exe"),
        };
        items.push(Item::Copy { path: format!("Scripts/{name}"), from: launchers.join(source) });
    }
    items
}

/// `3.12` of `3.12.9`.
fn minor_version(version: &str) -> &str {
    version.match_indices('.').nth(1).map_or(version, |(end, _)| &version[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(executable: &str) -> BasePython {
        BasePython {
            executable: PathBuf::from(executable),
            version: "3.13.1".to_owned(),
            prefix: PathBuf::from(r"C:\Python313"),
            free_threaded: false,
            has_lib64: true,
        }
    }

    #[test]
    fn every_name_of_python_leads_to_the_base() {
        let items = posix_contents(&base("/usr/bin/python3"));
        let link = |path: &str, target: &str| Item::Link { path: path.to_owned(), target: PathBuf::from(target) };
        assert!(items.contains(&link("bin/python3", "/usr/bin/python3")));
        assert!(items.contains(&link("bin/python", "python3")) && items.contains(&link("bin/python3.13", "python3")));
        assert!(posix_contents(&base("/opt/my-python")).contains(&link("bin/python", "/opt/my-python")));
        let free = BasePython { free_threaded: true, ..base("/usr/bin/python3.13t") };
        assert!(posix_contents(&free).contains(&Item::Folder("lib/python3.13t/site-packages".to_owned())));
    }

    #[test]
    fn windows_gets_launchers() {
        let items = windows_contents(&base(r"C:\Python313\python.exe"));
        assert!(items.contains(&Item::Folder("Lib/site-packages".to_owned())));
        let sources: Vec<_> = items
            .iter()
            .filter_map(|item| match item {
                Item::Copy { path, from } => Some((path.as_str(), from.file_name()?.to_str()?)),
                _ => None,
            })
            .collect();
        assert_eq!(sources, [("Scripts/python.exe", "venvlauncher.exe"), ("Scripts/pythonw.exe", "venvwlauncher.exe")]);
    }

    #[cfg(unix)]
    fn made_in(root: &Path, here: bool) -> Created {
        let working_directory = here.then(|| root.to_owned());
        let options = CreateOptions { working_directory, ..CreateOptions::default() };
        create_for(root, &base("/usr/bin/python3"), &options).unwrap()
    }

    #[cfg(unix)]
    fn names(folder: &Path) -> Vec<std::ffi::OsString> {
        let mut names: Vec<_> = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[cfg(unix)]
    fn keep(created: Created) {
        match created {
            Created::New(new) => new.keep(),
            Created::AlreadyThere => panic!("it was there already"),
        }
    }

    #[cfg(unix)]
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

    #[cfg(unix)]
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

    #[cfg(unix)]
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

    #[cfg(unix)]
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
