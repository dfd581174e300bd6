//! What a test in the rig works with: an index of the rig's wheels, a folder, Python.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::support::server::{Resource, Server, Site};
use super::support::site::Ran;
use super::support::skipped;

/// Whoever changes what all programs see, such as System32, holds it for writing.
static MACHINE: RwLock<()> = RwLock::new(());

/// The builds that an index has; in both, torch 2.9.1 for the CPU too.
#[derive(Clone, Copy)]
pub enum Wheels {
    /// torch 2.9.1+cu128 with NVIDIA's DLLs in its own `lib` folder, as it is published.
    Bundled,
    /// torch 2.9.1+cu128 that requires NVIDIA's wheels, whose DLLs lie in `nvidia\*\bin`.
    Split,
}

impl Wheels {
    fn folder(self) -> &'static str {
        match self {
            Self::Bundled => "bundled",
            Self::Split => "split",
        }
    }
}

/// A folder with an index beside it.
pub struct Place {
    pub server: Server,
    pub rig: PathBuf,
    folder: tempfile::TempDir,
}

/// The folder of the rig; says so aloud where there is none.
#[allow(clippy::disallowed_methods, reason = "a setting of the tests")]
pub fn rig() -> Option<PathBuf> {
    let rig = std::env::var_os("WINDOWS_RIG").map(PathBuf::from).filter(|folder| folder.is_dir());
    if rig.is_none() {
        skipped("the rig: WINDOWS_RIG, the folder that scripts/windows-rig fills, is not set");
    }
    rig
}

/// The machine as it is, for as long as the guard lives.
pub fn machine() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The machine alone, to be changed.
pub fn machine_alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Place {
    /// A new folder, and an index with these wheels.
    pub fn new(wheels: Wheels) -> Option<Self> {
        let rig = rig()?;
        let server = Server::start(site(&rig.join("wheels").join(wheels.folder())));
        let work = rig.join("work");
        fs_err::create_dir_all(&work).unwrap();
        // On the drive of the cache, for the sake of links.
        Some(Self { server, folder: tempfile::tempdir_in(work).unwrap(), rig })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `torchfix` with these arguments, its indexes on the loopback.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command_on_real_index(arguments);
        command.env("TORCHFIX_INDEX_URL", self.server.url("/simple").as_str());
        command.env("TORCHFIX_TORCH_INDEX", self.server.url("/whl").as_str());
        command
    }

    /// `torchfix` with these arguments, its indexes those of the machine.
    pub fn command_on_real_index(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_torchfix"));
        command.args(arguments).current_dir(self.folder());
        command.env("PATH", self.path_variable(&[]));
        command.env("TORCHFIX_CACHE_DIR", self.rig.join("cache"));
        command
    }

    /// A `PATH` with these folders in front of the rig's Python.
    #[allow(clippy::disallowed_methods, reason = "the PATH of the test itself")]
    pub fn path_variable(&self, first: &[&Path]) -> std::ffi::OsString {
        let own = std::env::var_os("PATH").unwrap_or_default();
        let python = self.rig.join("python");
        let folders =
            first.iter().map(|folder| folder.to_path_buf()).chain([python]).chain(std::env::split_paths(&own));
        std::env::join_paths(folders).unwrap()
    }

    /// Runs `torchfix` to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    /// pip, run by the Python of an environment.
    pub fn pip(&self, venv: &Path, arguments: &[&str]) -> Ran {
        let downloads = fs_err::read_dir(self.rig.join("downloads")).unwrap();
        let is_pip = |name: &str| name.starts_with("pip-") && name.ends_with(".whl");
        let mut wheels = downloads.map(|entry| entry.unwrap().path());
        let wheel = wheels.find(|path| is_pip(&path.file_name().unwrap().to_string_lossy())).expect("pip's wheel");
        let mut command = Command::new(python_of(venv));
        command.arg(wheel.join("pip")).args(arguments).args(["--disable-pip-version-check", "--no-color"]);
        Ran::of(&command.current_dir(self.folder()).env("PYTHONUTF8", "1").output().unwrap())
    }
}

/// An environment's Python.
pub fn python_of(venv: &Path) -> PathBuf {
    venv.join("Scripts").join("python.exe")
}

/// Runs a script in an environment.
pub fn python(venv: &Path, script: &str, variables: &[(&str, &std::ffi::OsStr)]) -> Ran {
    let mut command = Command::new(python_of(venv));
    command.args(["-c", script]).envs(variables.iter().copied());
    Ran::of(&command.output().unwrap())
}

/// The pages and wheels below `folder`: of each project `NAME.json`, beside it the wheels.
fn site(folder: &Path) -> Site {
    let mut site = Site::new();
    let mut directories = vec![("/simple".to_owned(), folder.join("simple"))];
    for variant in fs_err::read_dir(folder.join("whl")).unwrap() {
        let variant = variant.unwrap();
        directories.push((format!("/whl/{}", variant.file_name().to_string_lossy()), variant.path()));
    }
    for (url, directory) in directories {
        for file in fs_err::read_dir(directory).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            site = match name.strip_suffix(".json") {
                Some(project) => {
                    let page = fs_err::read(file.path()).unwrap();
                    site.resource(
                        &format!("{url}/{project}/"),
                        Resource::new(page, "application/vnd.pypi.simple.v1+json"),
                    )
                }
                None => site.disk(&format!("{url}/{}", name.replace('+', "%2B")), &file.path()),
            };
        }
    }
    site
}
