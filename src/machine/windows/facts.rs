//! What is known of a Windows machine beside what every machine has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::machine::{Machine, Source};
use crate::vocab::FileVersion;

/// What of Windows decides whether torch's files can be written and its libraries load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WindowsFacts {
    /// Its build: 22631.
    #[serde(default)]
    pub build: Option<u32>,
    /// Whether programs that ask for it get paths beyond 260 characters.
    #[serde(default)]
    pub long_paths: Option<bool>,
    /// Microsoft's C runtime as its installer registered it; what counts are the files in [`Self::system_libraries`].
    #[serde(default)]
    pub vc_runtime: Option<VcRuntime>,
    /// Libraries of System32 by name, in lower case; of one that does not stand here nothing is known.
    #[serde(default)]
    pub system_libraries: BTreeMap<String, SystemLibrary>,
    /// How these were learned.
    #[serde(default)]
    pub sources: WindowsSources,
}

/// Microsoft's C runtime as its installer registered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VcRuntime {
    /// Whether it did; the libraries may be there without.
    pub installed: bool,
    /// Its version.
    #[serde(default)]
    pub version: Option<FileVersion>,
}

/// A library of System32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemLibrary {
    /// Whether it is there.
    pub present: bool,
    /// Its version, where it is there and says one.
    #[serde(default)]
    pub version: Option<FileVersion>,
}

/// How the facts of Windows were learned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WindowsSources {
    /// Of the build.
    #[serde(default)]
    pub build: Option<Source>,
    /// Of the long paths.
    #[serde(default)]
    pub long_paths: Option<Source>,
    /// Of the C runtime.
    #[serde(default)]
    pub vc_runtime: Option<Source>,
    /// Of the libraries.
    #[serde(default)]
    pub system_libraries: Option<Source>,
}

impl Machine {
    /// A library of System32, by name without regard to case; `None` when nothing is known of it, as on other systems.
    pub fn system_library(&self, name: &str) -> Option<SystemLibrary> {
        self.windows.as_ref()?.system_libraries.get(&name.to_ascii_lowercase()).copied()
    }

    /// Whether System32 has this library; `None` when that is not known.
    pub fn has_system_library(&self, name: &str) -> Option<bool> {
        self.system_library(name).map(|library| library.present)
    }
}
