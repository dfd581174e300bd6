//! Where an environment keeps what it keeps.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::VenvError;

/// How an environment is laid out: Python's `posix_prefix` or `nt` scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// `bin`, `lib/python3.12/site-packages`.
    Posix,
    /// `Scripts`, `Lib\site-packages`.
    Windows,
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
        let root = fs_err::canonicalize(root)?;
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

    /// The interpreter, as scripts name it.
    pub fn python(&self) -> PathBuf {
        self.scripts.join(self.flavour.python())
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
        match fs_err::canonicalize(existing) {
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

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
