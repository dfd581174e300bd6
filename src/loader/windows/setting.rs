//! What decides where DLLs are found, beside the DLLs themselves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::loader::problem::is_same_path;
use crate::pe::PeMachine;
use crate::vocab::Version;

/// A machine and an environment on it, as far as the loader is concerned.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// What DLLs must be made for.
    pub machine: PeMachine,
    /// The program that runs: in a venv, the `python.exe` that the venv's starts.
    pub program: PathBuf,
    /// The environment.
    pub prefix: PathBuf,
    /// The Python it was made from; the environment itself where it is none.
    pub base: PathBuf,
    /// The user's Python folder, `%APPDATA%\Python`.
    pub user: Option<PathBuf>,
    /// The environment's site-packages folders.
    pub site_packages: Vec<PathBuf>,
    /// System32.
    pub system: PathBuf,
    /// Windows.
    pub windows: PathBuf,
    /// `%ProgramFiles%`.
    pub programs: PathBuf,
    /// The working directory.
    pub working_directory: PathBuf,
    /// `PATH`.
    pub path: Vec<PathBuf>,
    /// The variables that name folders, in upper case.
    pub variables: BTreeMap<String, PathBuf>,
    /// Folders that are added before torch's, as by a `.pth` file.
    pub added_folders: Vec<PathBuf>,
    /// DLLs that are opened before torch's, as by a `.pth` file.
    pub preloads: Vec<PathBuf>,
    /// Files that torchfix put into the environment.
    pub own: Vec<PathBuf>,
}

/// The torch in the environment.
#[derive(Debug, Clone, PartialEq)]
pub struct TorchBuild {
    /// Its folder.
    pub folder: PathBuf,
    /// Its version, where it is known.
    pub version: Option<Version>,
    /// The CUDA it was built for, `12.8`.
    pub cuda: Option<String>,
}

impl Setting {
    /// Whether a path lies in the environment.
    pub fn holds(&self, path: &std::path::Path) -> bool {
        let within = |folder: &PathBuf| super::files::is_within(path, folder);
        within(&self.prefix) || self.site_packages.iter().any(within)
    }

    /// Whether torchfix put this file into the environment.
    pub(super) fn added(&self, path: &std::path::Path) -> bool {
        self.own.iter().any(|own| is_same_path(own, path))
    }
}
