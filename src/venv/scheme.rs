//! Where an environment keeps what it keeps.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::VenvError;
use crate::host::resolve_links;

/// How an environment is laid out: Python's `posix_prefix` or `nt` scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// `bin`, `lib/python3.12/site-packages`.
    Posix,
    /// `Scripts`, `Lib\site-packages`.
    Windows,
}

impl Default for Flavour {
    fn default() -> Self {
        Self::NATIVE
    }
}

impl Flavour {
    /// That of the system torchfix runs on.
    pub const NATIVE: Self = if cfg!(windows) { Self::Windows } else { Self::Posix };

    /// The folder of programs, relative to the environment.
    pub fn scripts(self) -> &'static str {
        match self {
            Self::Posix => "bin",
            Self::Windows => "Scripts",
        }
    }

    /// The interpreter's file name.
    pub fn python(self) -> &'static str {
        match self {
            Self::Posix => "python",
            Self::Windows => "python.exe",
        }
    }

    /// A path such that two that name the same file are equal: Windows passes over the case of letters.
    pub fn folded(self, path: &str) -> String {
        match self {
            Self::Posix => path.to_owned(),
            // As the file system does it: character by character, each to one.
            Self::Windows => path
                .chars()
                .map(|character| {
                    let mut upper = character.to_uppercase();
                    upper.next().filter(|_| upper.next().is_none()).unwrap_or(character)
                })
                .collect(),
        }
    }
}

/// The folders of an environment, absolute, with every symbolic link resolved: all lie inside `root`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// The environment.
    pub root: PathBuf,
    /// Modules without native code.
    pub purelib: PathBuf,
    /// Modules with native code; mostly the same folder.
    pub platlib: PathBuf,
    /// Programs.
    pub scripts: PathBuf,
    /// C headers: a folder for each distribution beneath it.
    pub headers: PathBuf,
    /// Everything else: the environment itself.
    pub data: PathBuf,
    /// How it is laid out.
    pub flavour: Flavour,
}

impl Scheme {
    /// The scheme with these folders; symbolic links such as `lib64` are followed, and none may lead out of `root`.
    ///
    /// `python` is the version as `3.12`. Headers go where pip puts them in a virtual environment, since the
    /// interpreter's own include folder lies outside of it.
    pub fn resolve(
        root: &Path,
        purelib: &Path,
        platlib: &Path,
        scripts: &Path,
        python: &str,
    ) -> Result<Self, VenvError> {
        let root = resolve_links(root)?;
        let inside = |path: &Path| -> Result<PathBuf, VenvError> {
            let resolved = resolve_existing(&root.join(path))?;
            let proper = resolved.starts_with(&root) && resolved != root;
            if proper { Ok(resolved) } else { Err(VenvError::Outside { root: root.clone(), path: resolved }) }
        };
        Ok(Self {
            purelib: inside(purelib)?,
            platlib: inside(platlib)?,
            scripts: inside(scripts)?,
            headers: inside(&Path::new("include").join("site").join(format!("python{python}")))?,
            data: root.clone(),
            flavour: Flavour::NATIVE,
            root,
        })
    }

    /// That of an environment on Windows with a Python such as `3.12`; nothing of it need be there.
    #[cfg(test)]
    pub fn on_windows(root: &Path, python: &str) -> Self {
        let site = root.join("Lib").join("site-packages");
        Self {
            root: root.to_owned(),
            purelib: site.clone(),
            platlib: site,
            scripts: root.join("Scripts"),
            headers: root.join("Include").join("site").join(format!("python{python}")),
            data: root.to_owned(),
            flavour: Flavour::Windows,
        }
    }

    /// The interpreter, as scripts name it.
    pub fn python(&self) -> PathBuf {
        let usual = self.scripts.join(self.flavour.python());
        // Conda keeps it beside the folders on Windows.
        let beside = self.root.join(self.flavour.python());
        if self.flavour == Flavour::Windows && !usual.is_file() && beside.is_file() { beside } else { usual }
    }

    /// The interpreter, as programs with windows of their own name it: on Windows the one that opens no console.
    pub fn windowed_python(&self) -> PathBuf {
        let python = self.python();
        let windowed = python.with_file_name("pythonw.exe");
        if self.flavour == Flavour::Windows && windowed.is_file() { windowed } else { python }
    }

    /// The folders that hold distributions, without repetition.
    pub fn site_packages(&self) -> Vec<&Path> {
        let mut folders = vec![self.purelib.as_path()];
        if self.platlib != self.purelib {
            folders.push(&self.platlib);
        }
        folders
    }
}

/// Resolves the links of the part of an absolute path that exists; what does not exist yet is appended as it is.
fn resolve_existing(path: &Path) -> io::Result<PathBuf> {
    let mut missing = Vec::new();
    let mut existing = path;
    loop {
        match resolve_links(existing) {
            Ok(mut resolved) => {
                resolved.extend(missing.iter().rev());
                return Ok(resolved);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match (existing.components().next_back(), existing.parent()) {
                    (Some(Component::Normal(name)), Some(parent)) => {
                        missing.push(name.to_owned());
                        existing = parent;
                    }
                    _ => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_passes_over_case_as_its_file_system_does() {
        assert_eq!(Flavour::Windows.folded("Scripts/Straße.EXE"), Flavour::Windows.folded("scripts/STRAßE.exe"));
        assert_ne!(Flavour::Windows.folded("straße"), Flavour::Windows.folded("strasse"));
        assert_ne!(Flavour::Posix.folded("A"), Flavour::Posix.folded("a"));
    }

    #[test]
    fn the_interpreter_of_windows_is_in_scripts_or_beside() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let scheme = Scheme::on_windows(&root, "3.12");
        assert_eq!(scheme.python(), root.join("Scripts/python.exe"));
        fs_err::write(root.join("python.exe"), "").unwrap();
        assert_eq!((scheme.python(), scheme.windowed_python()), (root.join("python.exe"), root.join("python.exe")));
        fs_err::create_dir(root.join("Scripts")).unwrap();
        for name in ["python.exe", "pythonw.exe"] {
            fs_err::write(root.join("Scripts").join(name), "").unwrap();
        }
        assert_eq!(scheme.python(), root.join("Scripts/python.exe"));
        assert_eq!(scheme.windowed_python(), root.join("Scripts/pythonw.exe"));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_inside_and_refused_outside() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs_err::canonicalize(folder.path()).unwrap().join("venv");
        let site = "python3.12/site-packages";
        fs_err::create_dir_all(root.join("lib").join(site)).unwrap();
        fs_err::os::unix::fs::symlink("lib", root.join("lib64")).unwrap();
        fs_err::os::unix::fs::symlink("..", root.join("out")).unwrap();
        let resolve = |platlib: PathBuf| {
            Scheme::resolve(&root, &root.join("lib").join(site), &platlib, &root.join("bin"), "3.12")
        };
        let scheme = resolve(root.join("lib64").join(site)).unwrap();
        assert_eq!(scheme.site_packages(), [root.join("lib").join(site)]);
        assert_eq!(scheme.headers, root.join("include/site/python3.12"));
        assert!(matches!(resolve(root.join("out/lib")), Err(VenvError::Outside { .. })));
        assert!(matches!(resolve(PathBuf::from("/usr/lib/python3/dist-packages")), Err(VenvError::Outside { .. })));
        assert!(matches!(resolve(root.clone()), Err(VenvError::Outside { .. })));
    }
}
