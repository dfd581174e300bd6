//! A loopback index, an empty folder and a cache: what the binary is run in.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use torchfix::vocab::Sha256;

use super::pages::{Listed, Style};
use super::platform;
use super::server::{Server, Site};
use super::wheels::{BuiltWheel, WheelBuilder};

/// Wheels laid out as indexes: torch's family under `/whl/<variant>/`, all else under `/simple/`.
#[derive(Default)]
pub struct Layout {
    shelves: Vec<Shelf>,
}

/// A project in a directory.
struct Shelf {
    directory: String,
    style: Style,
    wheels: Vec<BuiltWheel>,
    hashed: bool,
    uploaded: Vec<String>,
}

impl Layout {
    /// Adds a project of the default index.
    pub fn simple(self, wheels: Vec<BuiltWheel>) -> Self {
        self.at("/simple", Style::Json, wheels)
    }

    /// Adds a project of a variant's directory on the PyTorch index.
    pub fn torch(self, variant: &str, wheels: Vec<BuiltWheel>) -> Self {
        self.at(&format!("/whl/{variant}"), Style::Pytorch, wheels)
    }

    /// Adds a project of any directory.
    pub fn at(mut self, directory: &str, style: Style, wheels: Vec<BuiltWheel>) -> Self {
        let directory = directory.to_owned();
        self.shelves.push(Shelf { directory, style, wheels, hashed: true, uploaded: Vec::new() });
        self
    }

    /// The page of the project added last states no hashes.
    pub fn unhashed(mut self) -> Self {
        self.shelves.last_mut().unwrap().hashed = false;
        self
    }

    /// The page of the project added last says when each wheel was uploaded.
    pub fn uploaded(mut self, times: &[&str]) -> Self {
        self.shelves.last_mut().unwrap().uploaded = times.iter().map(|time| (*time).to_owned()).collect();
        self
    }

    /// The site: a page for each project, the wheels, and their METADATA beside them.
    pub fn site(&self) -> Site {
        let mut site = Site::new();
        for Shelf { directory, style, wheels, hashed, uploaded } in &self.shelves {
            let name = project(&wheels[0]);
            let mut files = Vec::new();
            for (place, wheel) in wheels.iter().enumerate() {
                let path = file_path(directory, wheel);
                site = site.file(&path, wheel.bytes.clone());
                site = site.file(&format!("{path}.metadata"), wheel.metadata.clone().into_bytes());
                let listed = Listed::new(&wheel.file_name, &path, &wheel.bytes);
                files.push(Listed {
                    core_metadata: Some(Sha256::of(wheel.metadata.as_bytes())),
                    sha256: listed.sha256.filter(|_| *hashed),
                    upload_time: uploaded.get(place).cloned(),
                    ..listed
                });
            }
            site = site.simple_page(&format!("{directory}/{name}/"), &files, *style);
        }
        site
    }
}

fn project(wheel: &BuiltWheel) -> String {
    wheel.file_name.split('-').next().unwrap().replace('_', "-")
}

/// Where a wheel of a directory is served.
pub fn file_path(directory: &str, wheel: &BuiltWheel) -> String {
    format!("{directory}/files/{}", wheel.file_name.replace('+', "%2B"))
}

/// The folder a test runs the binary in.
pub struct Workplace {
    pub server: Server,
    folder: tempfile::TempDir,
    tag: String,
}

impl Workplace {
    /// Serves `site`; `None` where there is no Python to make environments with.
    pub fn new(site: Site) -> Option<Self> {
        let tag = python_tag()?;
        Some(Self { server: Server::start(site), folder: tempfile::tempdir().unwrap(), tag })
    }

    /// The folder that the command is run in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The environment that an install makes.
    pub fn venv(&self) -> PathBuf {
        self.folder().join(".venv")
    }

    /// The cache.
    pub fn cache(&self) -> PathBuf {
        self.folder().join("cache")
    }

    /// `torchfix` with these arguments, its indexes on the loopback, in a clean environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_torchfix"));
        command.args(arguments).current_dir(self.folder()).env_clear();
        command.envs(platform::variables(self.folder())).env("TORCHFIX_CACHE_DIR", self.cache());
        command.env("TORCHFIX_INDEX_URL", self.server.url("/simple").as_str());
        command.env("TORCHFIX_TORCH_INDEX", self.server.url("/whl").as_str());
        command
    }

    /// What a program of the environment prints.
    pub fn says(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(platform::program(&self.venv(), program)).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        platform::text(&output.stdout).trim().to_owned()
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    /// The tag that wheels for this Python and machine carry.
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Of a process that ended.
    pub fn of(output: &Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// Its answer as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Asserts the exit status.
    #[track_caller]
    pub fn assert_status(&self, status: i32) -> &Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }
}

/// `cp311-cp311-linux_x86_64` of the Python on PATH; `None` where none runs.
pub fn python_tag() -> Option<String> {
    let script = "import sys, sysconfig; v = '%d%d' % sys.version_info[:2]; t = sysconfig.get_config_var('Py_GIL_DISABLED'); \
        print('cp%s-cp%s%s-%s' % (v, v, 't' if t else '', sysconfig.get_platform().replace('-', '_').replace('.', '_')))";
    let output = Command::new(platform::PYTHON).args(["-I", "-c", script]).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        super::skipped(&format!("no working `{}`", platform::PYTHON));
        return None;
    };
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

/// A stand-in for torch: its name, version, tag and requirement are real, its content is `size` bytes that do not compress.
pub fn torch(version: &str, tag: &str, size: usize) -> BuiltWheel {
    WheelBuilder::new("torch", version)
        .tag(tag)
        .requires("demo-dependency>=1")
        .file("torch/__init__.py", "answer = 42\n")
        .noise("torch/lib/libtorch_cpu.so", size)
        .zeros("torch/lib/libtorch_zeros.so", size)
        .build()
}

/// What the stand-in requires.
pub fn dependency() -> BuiltWheel {
    WheelBuilder::new("demo_dependency", "1.2")
        .file("demo_dependency/__init__.py", "def main():\n    print('hello from a script')\n")
        .entry_point("console_scripts", "demo-script", "demo_dependency:main")
        .build()
}

/// Every path under `root` with its size and, for a file, its digest.
pub fn tree(root: &Path) -> Vec<(String, u64, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs_err::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let metadata = fs_err::symlink_metadata(&path).unwrap();
            let name = platform::spelled(path.strip_prefix(root).unwrap());
            if metadata.is_dir() {
                found.push((name, 0, "folder".to_owned()));
                folders.push(path);
            } else if metadata.is_symlink() {
                found.push((name, 0, format!("link to {}", fs_err::read_link(&path).unwrap().display())));
            } else {
                let bytes = fs_err::read(&path).unwrap();
                found.push((name, bytes.len() as u64, Sha256::of(&bytes).to_string()));
            }
        }
    }
    found.sort();
    found
}
