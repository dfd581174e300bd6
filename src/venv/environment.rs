//! An environment opened: its interpreter asked, its folders known.

use std::io;
use std::path::{Path, PathBuf};

use super::{BasePython, CreateOptions, Created, Flavour, Installed, Scheme, VenvError, create_for, list};
use crate::host::{Host, resolve_links};
use crate::machine::Interpreter;

/// The environment that is changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// Its folder.
    pub root: PathBuf,
    /// Its Python.
    pub interpreter: Interpreter,
    /// Its folders, all inside `root`.
    pub scheme: Scheme,
}

impl Environment {
    /// Opens the environment at `root`; what its Python says of itself is kept in `cache`.
    pub fn open(host: &Host, root: &Path, cache: &Path) -> Result<Self, VenvError> {
        let root = resolve_links(root)?;
        let python = python_of(&root).ok_or_else(|| VenvError::NoPython { root: root.clone() })?;
        let interpreter = Interpreter::ask(host, &python, cache)
            .map_err(|source| VenvError::Python { root: root.clone(), source: Box::new(source) })?;
        let prefix = resolve_links(&interpreter.prefix)?;
        if prefix != root {
            return Err(VenvError::Elsewhere { root, prefix });
        }
        if let Some(text) = interpreter.externally_managed.as_ref().filter(|_| !interpreter.is_venv) {
            return Err(VenvError::ExternallyManaged { root, text: text.clone() });
        }
        let paths = &interpreter.paths;
        let minor = minor_version(&interpreter);
        let scheme = Scheme::resolve(&root, &paths.purelib, &paths.platlib, &paths.scripts, &minor)?;
        Ok(Self { root, interpreter, scheme })
    }

    /// What it holds.
    pub fn installed(&self) -> Result<Installed, VenvError> {
        list(&self.scheme)
    }

    /// Whether `asked` is its Python or the one it was made from; an error where it is neither.
    pub fn must_agree_with(&self, asked: &Interpreter) -> Result<(), VenvError> {
        let same = |one: &Path, other: &Path| {
            one == other || resolve_links(one).ok().is_some_and(|one| resolve_links(other).ok() == Some(one))
        };
        let own = &self.interpreter;
        let agrees = same(&own.executable, &asked.executable) && same(&own.prefix, &asked.prefix)
            || same(&own.base_executable, &asked.base_executable)
            || same(&own.base_prefix, &asked.base_prefix) && own.version == asked.version;
        if agrees {
            return Ok(());
        }
        Err(VenvError::OtherPython {
            root: self.root.clone(),
            have: own.version.to_string(),
            base: own.base_prefix.clone(),
            asked: asked.executable.clone(),
        })
    }

    /// Finds out whether files can be made where files will be; nothing is left of the trial.
    pub fn probe_writable(&self) -> Result<(), VenvError> {
        let not_writable = |source: io::Error| VenvError::NotWritable { root: self.root.clone(), source };
        for folder in [self.root.as_path(), &self.scheme.purelib, &self.scheme.platlib, &self.scheme.scripts] {
            match tempfile::Builder::new().prefix(".torchfix-").tempfile_in(folder) {
                Ok(file) => file.close().map_err(not_writable)?,
                // What is not there yet will be made in what is.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(not_writable(error)),
            }
        }
        Ok(())
    }
}

/// Makes a new environment at `root` for this Python; see [`create_for`].
pub fn create(root: &Path, interpreter: &Interpreter, options: &CreateOptions) -> Result<Created, VenvError> {
    let base = BasePython {
        executable: interpreter.base_executable.clone(),
        version: interpreter.version.to_string(),
        prefix: interpreter.base_prefix.clone(),
        free_threaded: interpreter.free_threaded,
        has_lib64: interpreter.bits == 64 && cfg!(unix) && !cfg!(target_os = "macos"),
    };
    create_for(root, &base, options)
}

/// `3.12`, with a `t` where the interpreter runs without the global lock: as its folders are called.
fn minor_version(interpreter: &Interpreter) -> String {
    let release = interpreter.version.release();
    let part = |index: usize| release.get(index).copied().unwrap_or_default();
    format!("{}.{}{}", part(0), part(1), if interpreter.free_threaded { "t" } else { "" })
}

fn python_of(root: &Path) -> Option<PathBuf> {
    let names: &[(&str, &str)] = match Flavour::NATIVE {
        Flavour::Posix => &[("bin", "python"), ("bin", "python3")],
        // Conda keeps it beside the folders.
        Flavour::Windows => &[("Scripts", "python.exe"), ("", "python.exe")],
    };
    names.iter().map(|(folder, name)| root.join(folder).join(name)).find(|path| path.is_file())
}
