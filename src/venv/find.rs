//! Which environment is meant.

use std::io;
use std::path::{Path, PathBuf};

use super::{Flavour, VenvError};
use crate::host::Host;

/// The environment that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is there.
    Existing(PathBuf),
    /// It is to be made here: nothing is there yet, or an empty folder.
    ToCreate(PathBuf),
}

impl Found {
    /// The folder, made already or not.
    pub fn root(&self) -> &Path {
        match self {
            Self::Existing(root) | Self::ToCreate(root) => root,
        }
    }
}

/// Finds the environment: `asked` (`--venv`); else the active one; else `.venv` here or in a parent folder.
///
/// Active is what `VIRTUAL_ENV` names, then `CONDA_PREFIX` unless that is conda's base. With none of these the
/// answer is a new `.venv` here where `create` allows it. A folder that holds something else is an error, never
/// passed over.
pub fn find(host: &Host, asked: Option<&Path>, create: bool) -> Result<Found, VenvError> {
    if let Some(asked) = asked {
        let root = host.absolute(asked);
        return match look(&root)? {
            Place::Environment => Ok(Found::Existing(root)),
            Place::Nothing | Place::EmptyFolder if create => Ok(Found::ToCreate(root)),
            _ => Err(not_an_environment(root, "")),
        };
    }
    if let Some(root) = host.variable("VIRTUAL_ENV") {
        return active(host, Path::new(root), " (`VIRTUAL_ENV` names it)");
    }
    if let Some(root) = host.variable("CONDA_PREFIX").filter(|root| !is_conda_base(host, Path::new(root))) {
        return active(host, Path::new(root), " (`CONDA_PREFIX` names it)");
    }
    let here = host.working_directory();
    for folder in here.ancestors() {
        let root = folder.join(".venv");
        match look(&root)? {
            Place::Environment => return Ok(Found::Existing(root)),
            Place::SomethingElse => return Err(not_an_environment(root, "")),
            Place::Nothing | Place::EmptyFolder => {}
        }
    }
    if create {
        Ok(Found::ToCreate(here.join(".venv")))
    } else {
        Err(VenvError::NotFound { searched: here.to_owned() })
    }
}

fn active(host: &Host, root: &Path, named_by: &str) -> Result<Found, VenvError> {
    let root = host.absolute(root);
    match look(&root)? {
        Place::Environment => Ok(Found::Existing(root)),
        _ => Err(not_an_environment(root, named_by)),
    }
}

fn not_an_environment(path: PathBuf, named_by: &str) -> VenvError {
    VenvError::NotAnEnvironment { path, named_by: named_by.to_owned() }
}

/// Conda's base is conda's own home: packages of a project do not belong there.
fn is_conda_base(host: &Host, prefix: &Path) -> bool {
    let named_base = host.text_variable("CONDA_DEFAULT_ENV").is_some_and(|name| matches!(name, "base" | "root"));
    // CONDA_EXE is `<base>/bin/conda`, on Windows `<base>\Scripts\conda.exe`.
    let base = host.variable("CONDA_EXE").and_then(|conda| Path::new(conda).parent()?.parent());
    let folded = |path: &Path| path.to_str().map(|path| Flavour::NATIVE.folded(path));
    named_base || base.is_some_and(|base| base == prefix || folded(base).is_some() && folded(base) == folded(prefix))
}

enum Place {
    Nothing,
    EmptyFolder,
    Environment,
    SomethingElse,
}

fn look(root: &Path) -> Result<Place, VenvError> {
    let metadata = match fs_err::metadata(root) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            let is_link = fs_err::symlink_metadata(root).is_ok();
            return if is_link { Err(VenvError::BrokenLink { path: root.to_owned() }) } else { Ok(Place::Nothing) };
        }
        Err(error) => return Err(error.into()),
    };
    if !metadata.is_dir() {
        return Ok(Place::SomethingElse);
    }
    if is_file(&root.join("pyvenv.cfg"))? || is_directory(&root.join("conda-meta"))? {
        return Ok(Place::Environment);
    }
    let is_empty = fs_err::read_dir(root)?.next().is_none();
    Ok(if is_empty { Place::EmptyFolder } else { Place::SomethingElse })
}

fn is_file(path: &Path) -> io::Result<bool> {
    kind(path, std::fs::Metadata::is_file)
}

fn is_directory(path: &Path) -> io::Result<bool> {
    kind(path, std::fs::Metadata::is_dir)
}

fn kind(path: &Path, of: impl Fn(&std::fs::Metadata) -> bool) -> io::Result<bool> {
    match fs_err::metadata(path) {
        Ok(metadata) => Ok(of(&metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folders(tempfile::TempDir);

    impl Folders {
        fn with(environments: &[&str]) -> Self {
            let folders = Self(tempfile::tempdir().unwrap());
            fs_err::create_dir_all(folders.at("work/deep")).unwrap();
            for name in environments {
                fs_err::create_dir_all(folders.at(name)).unwrap();
                fs_err::write(folders.at(name).join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
            }
            folders
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn find(&self, variables: &[(&str, &str)], asked: Option<&str>, create: bool) -> Result<Found, VenvError> {
            let values: Vec<_> = variables.iter().map(|(_, value)| self.at(value).display().to_string()).collect();
            let variables: Vec<_> = variables.iter().zip(&values).map(|((name, _), value)| (*name, &**value)).collect();
            let host = Host::with(Path::new("/"), &self.at("work/deep"), &variables);
            find(&host, asked.map(Path::new), create)
        }
    }

    fn is_refused(found: Result<Found, VenvError>, name: &str) {
        match found {
            Err(VenvError::NotAnEnvironment { path, .. }) => assert!(path.ends_with(name), "{}", path.display()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_order_is_asked_then_active_then_upward() {
        let folders = Folders::with(&["asked", "active", "conda", "work/.venv"]);
        let all = [("VIRTUAL_ENV", "active"), ("CONDA_PREFIX", "conda")];
        let existing = |name| Found::Existing(folders.at(name));
        assert_eq!(
            folders.find(&all, Some("../../asked"), false).unwrap().root().canonicalize().unwrap(),
            folders.at("asked").canonicalize().unwrap()
        );
        assert_eq!(folders.find(&all, None, false).unwrap(), existing("active"));
        assert_eq!(folders.find(&all[1..], None, true).unwrap(), existing("conda"));
        assert_eq!(folders.find(&[], None, true).unwrap(), existing("work/.venv"));
    }

    #[test]
    fn conda_base_is_passed_over() {
        let folders = Folders::with(&["conda", "work/.venv"]);
        let base = [("CONDA_PREFIX", "conda"), ("CONDA_EXE", "conda/bin/conda")];
        assert_eq!(folders.find(&base, None, false).unwrap(), Found::Existing(folders.at("work/.venv")));
        let host = Host::with(
            Path::new("/"),
            &folders.at("work"),
            &[("CONDA_PREFIX", "/elsewhere"), ("CONDA_DEFAULT_ENV", "base")],
        );
        assert_eq!(find(&host, None, false).unwrap(), Found::Existing(folders.at("work/.venv")));
    }

    #[test]
    fn nothing_there_is_made_or_not_found() {
        let folders = Folders::with(&[]);
        assert_eq!(folders.find(&[], None, true).unwrap(), Found::ToCreate(folders.at("work/deep/.venv")));
        assert!(matches!(folders.find(&[], None, false), Err(VenvError::NotFound { .. })));
        fs_err::create_dir(folders.at("work/deep/.venv")).unwrap();
        assert_eq!(folders.find(&[], None, true).unwrap(), Found::ToCreate(folders.at("work/deep/.venv")));
        assert_eq!(folders.find(&[], Some("new"), true).unwrap(), Found::ToCreate(folders.at("work/deep/new")));
        is_refused(folders.find(&[], Some("new"), false), "new");
    }

    #[test]
    fn what_holds_something_else_is_refused() {
        let folders = Folders::with(&[]);
        fs_err::write(folders.at("work/.venv"), "name").unwrap();
        is_refused(folders.find(&[], None, true), "work/.venv");
        is_refused(folders.find(&[], Some(".."), true), "..");
        is_refused(folders.find(&[("VIRTUAL_ENV", "gone")], None, true), "gone");
    }

    #[cfg(unix)]
    #[test]
    fn a_broken_link_stops_the_search() {
        let folders = Folders::with(&["work/.venv"]);
        fs_err::os::unix::fs::symlink("/nowhere/at/all", folders.at("work/deep/.venv")).unwrap();
        assert!(matches!(folders.find(&[], None, true), Err(VenvError::BrokenLink { .. })));
    }
}
