//! Wheels, and which of them a machine takes.

use std::fmt;

use super::machine::{Machine, System};
use super::need::Need;
use super::version::{Spec, Version};

/// Where a wheel is listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The directory of a variant on the PyTorch index.
    Directory(String),
    /// The default index.
    Pypi,
}

/// The Python that a wheel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForPython {
    Any,
    /// The minor version, and whether it is the free-threaded build.
    Only(u64, bool),
}

/// The platform that a wheel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForPlatform {
    Any,
    /// Arm or not, with the minor version of glibc that its tag asks for.
    Linux(bool, u64),
    Windows,
    Macos,
}

/// A wheel, and what its metadata says.
#[derive(Debug, Clone)]
pub struct Wheel {
    pub place: Place,
    pub name: String,
    pub version: Version,
    pub python: ForPython,
    pub platform: ForPlatform,
    pub needs: Vec<Need>,
    pub requires_python: Option<Spec>,
    /// Whether the page says `Requires-Python` as well.
    pub on_page: bool,
    /// `torch-2.9.1+cu126-cp312-cp312-win_amd64.whl`
    pub file_name: String,
}

impl Wheel {
    /// A wheel that needs nothing.
    pub fn of(place: Place, name: &str, version: Version, python: ForPython, platform: ForPlatform) -> Self {
        let file_name = file_name(name, &version, python, platform);
        let name = name.to_owned();
        Self {
            place,
            name,
            version,
            python,
            platform,
            needs: Vec::new(),
            requires_python: None,
            on_page: false,
            file_name,
        }
    }

    /// Whether a machine takes it.
    pub fn fits(&self, machine: &Machine) -> bool {
        let python = match self.python {
            ForPython::Any => true,
            ForPython::Only(minor, free_threaded) => (minor, free_threaded) == (machine.python, machine.free_threaded),
        };
        let platform = match self.platform {
            ForPlatform::Any => true,
            ForPlatform::Linux(arm, glibc) => {
                machine.system == System::Linux && machine.arm == arm && glibc <= machine.glibc
            }
            ForPlatform::Windows => machine.system == System::Windows,
            ForPlatform::Macos => machine.system == System::Macos,
        };
        python && platform && self.requires_python.as_ref().is_none_or(|spec| machine.python_satisfies(spec))
    }

    /// The METADATA in it.
    pub fn metadata(&self) -> String {
        let mut text = format!("Metadata-Version: 2.4\nName: {}\nVersion: {}\n", self.name, self.version);
        if let Some(spec) = &self.requires_python {
            text += &format!("Requires-Python: {spec}\n");
        }
        let mut extras: Vec<&String> = self.needs.iter().filter_map(|need| need.of_extra.as_ref()).collect();
        extras.sort();
        extras.dedup();
        for extra in extras {
            text += &format!("Provides-Extra: {extra}\n");
        }
        for need in &self.needs {
            text += &format!("Requires-Dist: {need}\n");
        }
        text
    }
}

fn file_name(name: &str, version: &Version, python: ForPython, platform: ForPlatform) -> String {
    let python = match python {
        ForPython::Any => "py3-none".to_owned(),
        ForPython::Only(minor, free_threaded) => {
            format!("cp3{minor}-cp3{minor}{}", if free_threaded { "t" } else { "" })
        }
    };
    let platform = match platform {
        ForPlatform::Any => "any".to_owned(),
        ForPlatform::Linux(arm, glibc) => format!("manylinux_2_{glibc}_{}", if arm { "aarch64" } else { "x86_64" }),
        ForPlatform::Windows => "win_amd64".to_owned(),
        ForPlatform::Macos => "macosx_11_0_arm64".to_owned(),
    };
    format!("{name}-{version}-{python}-{platform}.whl")
}

impl fmt::Display for Wheel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Directory(variant) => write!(f, "{variant}/")?,
            Place::Pypi => f.write_str("pypi/")?,
        }
        f.write_str(&self.file_name)?;
        if let Some(spec) = &self.requires_python {
            write!(f, " (Python {spec}{})", if self.on_page { ", as the page says" } else { "" })?;
        }
        let needs: Vec<String> = self.needs.iter().map(|need| format!("`{need}`")).collect();
        if needs.is_empty() { Ok(()) } else { write!(f, " needs {}", needs.join(", ")) }
    }
}
