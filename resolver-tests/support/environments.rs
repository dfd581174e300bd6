//! Environments and unpacked wheels made for a test.
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use torchfix::host::Host;
use torchfix::install::{Applied, ApplyOptions, InstallError, InstalledState, Plan, PlanRules, apply, plan};
use torchfix::lock::LockedWheel;
use torchfix::machine::Interpreter;
use torchfix::progress::Reporter;
use torchfix::venv::{CreateOptions, Created, Environment, Scheme, create, list, parse_record};
use torchfix::vocab::Sha256;
use torchfix::wheel::{UnpackedFile, UnpackedWheel};

use super::platform;
use super::wheels::BuiltWheel;

/// A virtual environment of the real Python of this machine, in a temporary folder that also holds unpacked wheels.
pub struct TestEnvironment {
    pub folder: tempfile::TempDir,
    pub environment: Environment,
    pub scheme: Scheme,
}

/// The process's surroundings without an active environment.
pub fn host() -> Host {
    let home = Host::of_process().unwrap().home().unwrap_or_default();
    let variables = platform::variables(&home);
    let variables: Vec<_> = variables.iter().filter_map(|(name, value)| Some((*name, value.to_str()?))).collect();
    Host::with(Path::new("/"), &platform::root(), &variables)
}

/// The Python of this machine, or word that the test is skipped.
pub fn real_python(cache: &Path) -> Option<Interpreter> {
    Interpreter::find(&host(), None, cache).inspect_err(|error| super::skipped(&error.to_string())).ok()
}

impl TestEnvironment {
    /// A new environment; `None` where this machine has no Python.
    pub fn new() -> Option<Self> {
        Self::at("venv")
    }

    /// A new environment in a folder of this name.
    pub fn at(name: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join(name);
        Self::on(folder, &root)
    }

    /// A new environment at `root`.
    pub fn on(folder: tempfile::TempDir, root: &Path) -> Option<Self> {
        let cache = folder.path().join("pythons");
        match create(root, &real_python(&cache)?, &CreateOptions::default()).unwrap() {
            Created::New(new) => new.keep(),
            Created::AlreadyThere => panic!("{} is there already", root.display()),
        }
        let environment = Environment::open(&host(), root, &cache).unwrap();
        Some(Self { scheme: environment.scheme.clone(), environment, folder })
    }

    pub fn root(&self) -> &Path {
        &self.scheme.root
    }

    /// A file of site-packages.
    pub fn site(&self, path: &str) -> PathBuf {
        self.scheme.purelib.join(path)
    }

    /// What is installed, in the order of the names.
    pub fn titles(&self) -> Vec<String> {
        list(&self.scheme).unwrap().distributions.iter().map(torchfix::venv::InstalledDistribution::title).collect()
    }

    /// The plan that makes the environment exactly these wheels.
    pub fn plan(&self, target: &[LockedWheel]) -> Plan {
        let installed: Vec<_> = list(&self.scheme)
            .unwrap()
            .distributions
            .into_iter()
            .map(|distribution| InstalledState {
                metadata: distribution.metadata().ok(),
                requested: distribution.is_requested(),
                distribution,
            })
            .collect();
        let none = std::collections::BTreeSet::new();
        plan(
            target,
            &installed,
            &PlanRules { markers: &self.environment.interpreter.markers, kept: &none, rebuilt: &none, exact: true },
        )
    }

    /// Makes the environment exactly these wheels.
    pub fn install(&self, wheels: &[BuiltWheel]) -> (Result<Applied, InstallError>, Vec<String>) {
        self.install_with(wheels, &ApplyOptions::default())
    }

    pub fn install_with(
        &self,
        wheels: &[BuiltWheel],
        options: &ApplyOptions,
    ) -> (Result<Applied, InstallError>, Vec<String>) {
        let unpacked: Vec<_> = wheels.iter().map(|wheel| unpack(wheel, self.folder.path())).collect();
        let target: Vec<_> = wheels.iter().map(locked).collect();
        let heard = Heard::default();
        let applied = apply(&self.plan(&target), &unpacked, &self.scheme, options, &heard);
        (applied, heard.0.into_inner().unwrap())
    }

    /// Runs a program of the environment.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Option<String> {
        run(Command::new(platform::program_in(&self.scheme.scripts, program)).args(arguments))
    }

    /// Every file with its content or target, and every empty folder; bytecode and the locks of torchfix and uv aside.
    pub fn tree(&self) -> BTreeMap<String, String> {
        let mut tree = BTreeMap::new();
        walk(self.root(), self.root(), &mut tree);
        tree.retain(|path, _| path != ".torchfix/lock" && path != ".lock");
        tree
    }

    /// Holds every file of every RECORD against it.
    pub fn assert_records_hold(&self) {
        for distribution in list(&self.scheme).unwrap().distributions {
            let record = fs_err::read(distribution.dist_info.join("RECORD")).unwrap();
            for entry in parse_record(&record).unwrap() {
                let bytes = fs_err::read(self.scheme.purelib.join(&entry.path)).unwrap();
                if !entry.path.ends_with("/RECORD") {
                    assert_eq!(entry.size, Some(bytes.len() as u64), "{}", entry.path);
                    assert_eq!(entry.hash, format!("sha256={}", Sha256::of(&bytes).to_record()), "{}", entry.path);
                }
            }
        }
    }
}

/// What a wheel is locked as, asked for by name.
pub fn locked(wheel: &BuiltWheel) -> LockedWheel {
    let file_name: torchfix::vocab::WheelName = wheel.file_name.parse().unwrap();
    LockedWheel {
        name: file_name.name.clone(),
        version: file_name.version.clone(),
        url: format!("https://user:secret@index.test/{}", wheel.file_name).parse().unwrap(),
        file_name,
        sha256: Some(wheel.sha256),
        size: Some(wheel.bytes.len() as u64),
        requested: true,
        direct: false,
        why: "asked for".to_owned(),
    }
}

/// Unpacks a wheel below `cache`, as the cache does.
pub fn unpack(wheel: &BuiltWheel, cache: &Path) -> UnpackedWheel {
    let root = cache.join("wheels").join(wheel.sha256.to_string());
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&wheel.bytes)).unwrap();
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        if entry.is_dir() {
            continue;
        }
        let path = entry.name().unwrap().into_owned();
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let target = root.join(&path);
        fs_err::create_dir_all(target.parent().unwrap()).unwrap();
        if !target.exists() {
            fs_err::write(&target, &bytes).unwrap();
        }
        #[cfg(unix)]
        if executable {
            use std::os::unix::fs::PermissionsExt as _;
            fs_err::set_permissions(&target, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let is_record = path.ends_with(".dist-info/RECORD");
        let record_hash = if is_record { String::new() } else { format!("sha256={}", Sha256::of(&bytes).to_record()) };
        files.push(UnpackedFile { size: bytes.len() as u64, path, executable, record_hash });
    }
    let dist_info = files.iter().find_map(|file| Some(file.path.strip_suffix("/METADATA")?.to_owned())).unwrap();
    UnpackedWheel {
        file_name: wheel.file_name.parse().unwrap(),
        sha256: wheel.sha256,
        root,
        dist_info,
        files,
        bytes_fetched: 0,
    }
}

/// What a program prints; `None` where it is not there or fails.
pub fn run(command: &mut Command) -> Option<String> {
    let output = command
        .env_remove("VIRTUAL_ENV")
        .env_remove("PYTHONDONTWRITEBYTECODE")
        .env_remove("PYTHONPYCACHEPREFIX")
        .output()
        .ok()?;
    let text = platform::text(&output.stdout);
    if !output.status.success() {
        println!("{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success().then_some(text)
}

/// Every file below `folder` with its content or target, and every empty folder; bytecode aside.
pub fn walk(root: &Path, folder: &Path, tree: &mut BTreeMap<String, String>) {
    let name = |path: &Path| platform::spelled(path.strip_prefix(root).unwrap());
    let mut entries: Vec<_> = fs_err::read_dir(folder).unwrap().map(Result::unwrap).collect();
    entries.retain(|entry| entry.file_name() != "__pycache__");
    if entries.is_empty() {
        tree.insert(format!("{}/", name(folder)), String::new());
    }
    for entry in entries {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            walk(root, &entry.path(), tree);
        } else if kind.is_symlink() {
            let target = fs_err::read_link(entry.path()).unwrap();
            tree.insert(name(&entry.path()), format!("-> {}", target.display()));
        } else {
            let bytes = fs_err::read(entry.path()).unwrap();
            tree.insert(name(&entry.path()), String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}

/// Holds two trees against each other and names only what differs.
#[track_caller]
pub fn assert_same(found: &BTreeMap<String, String>, expected: &BTreeMap<String, String>) {
    let paths: std::collections::BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let differing: Vec<String> = paths
        .into_iter()
        .filter(|path| found.get(*path) != expected.get(*path))
        .map(|path| format!("{path}: found {:?}, expected {:?}", found.get(path), expected.get(path)))
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Reporter for Heard {
    fn warning(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}
