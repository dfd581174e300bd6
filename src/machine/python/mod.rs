//! Python interpreters: found, asked for what they are, and remembered.

mod ask;
mod cache;
mod error;
mod find;
mod registered;
mod request;

pub use error::{PythonError, Tried};
pub use request::{PythonRequest, VersionRequest};

use std::path::PathBuf;

use pep508_rs::MarkerEnvironment;
use serde::{Deserialize, Serialize};

use super::{Machine, PythonFacts};
use crate::vocab::{Arch, GlibcVersion, Os, Version};

/// A Python interpreter that ran and said what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interpreter {
    /// Where it lies, as it says itself.
    pub executable: PathBuf,
    /// `sys.prefix`: the venv it belongs to, or its installation.
    pub prefix: PathBuf,
    /// `sys.base_prefix`: the installation, outside any venv.
    pub base_prefix: PathBuf,
    /// The interpreter outside any venv; new venvs are made from it.
    pub base_executable: PathBuf,
    /// `3.12.9`.
    pub version: Version,
    /// `cpython`.
    pub implementation: String,
    /// `cp312`; ends in `t` when free-threaded.
    pub abi: Option<String>,
    /// Whether it was built to run without the global interpreter lock.
    pub free_threaded: bool,
    /// 64 or 32.
    pub bits: u8,
    /// `sysconfig.get_platform()`: `linux-x86_64`, `win-amd64`.
    pub platform: String,
    /// The GNU C library it runs on; `None` on musl and elsewhere.
    pub glibc: Option<GlibcVersion>,
    /// The values of PEP 508 markers.
    pub markers: MarkerEnvironment,
    /// Where wheels' files go.
    pub paths: SchemePaths,
    /// What PEP 668's file tells the user, where installing is not ours to do; empty when it tells nothing.
    pub externally_managed: Option<String>,
    /// Whether it belongs to a venv.
    pub is_venv: bool,
    /// Whether a venv sees its base's site-packages too.
    pub system_site_packages: bool,
}

/// The folders of an installation scheme, for the interpreter's own prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemePaths {
    /// Pure Python modules.
    pub purelib: PathBuf,
    /// Modules with native code.
    pub platlib: PathBuf,
    /// Programs.
    pub scripts: PathBuf,
    /// The root of data files.
    pub data: PathBuf,
    /// Headers; each distribution has a folder of its own in it.
    pub include: PathBuf,
    /// The standard library.
    pub stdlib: PathBuf,
}

impl Interpreter {
    /// What of it wheels care for.
    pub fn facts(&self) -> PythonFacts {
        PythonFacts {
            version: self.version.clone(),
            implementation: self.implementation.clone(),
            abi: self.abi.clone(),
            free_threaded: self.free_threaded,
            bits: self.bits,
        }
    }

    /// The values of PEP 508 markers.
    pub fn markers(&self) -> MarkerEnvironment {
        self.markers.clone()
    }
}

impl Machine {
    /// The machine as this interpreter sees it: with its C library and the processor it was built for.
    #[must_use]
    pub fn with_interpreter(mut self, interpreter: &Interpreter) -> Self {
        self.python = Some(interpreter.facts());
        self.sources.interpreter = Some(interpreter.executable.clone());
        if self.os == Os::Linux {
            self.glibc = interpreter.glibc;
        } else if let Some((_, arch)) = interpreter.platform.rsplit_once('-').filter(|(_, arch)| *arch != "universal2")
        {
            // An x86-64 Python on Arm, emulated, takes x86-64 wheels; a 32-bit one calls itself plain `win32`.
            let arch = Arch::from(arch);
            if self.os == Os::Windows && self.arch == Arch::Aarch64 && arch == Arch::X86_64 {
                self.notes.push("Windows is for Arm here, and this Python for x86-64: it is emulated".to_owned());
            }
            self.arch = arch;
        }
        self
    }
}
