//! The facts of a machine, as `torchfix.facts/1` carries them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::WindowsFacts;
use crate::vocab::{Arch, ComputeCapability, CudaVersion, DriverVersion, GlibcVersion, Os, Version};

/// The schema that facts are written and read in.
pub const SCHEMA: &str = "torchfix.facts/1";

/// The facts that decide which builds run on a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The operating system.
    pub os: Os,
    /// Its version: a Windows build, a kernel release, a macOS version.
    #[serde(default)]
    pub os_version: Option<String>,
    /// The processor.
    pub arch: Arch,
    /// The GNU C library; `None` elsewhere and on musl.
    #[serde(default)]
    pub glibc: Option<GlibcVersion>,
    /// Whether Linux runs inside Windows, on the Windows driver.
    #[serde(default)]
    pub wsl: bool,
    /// The NVIDIA driver; `None` when there is none.
    #[serde(default)]
    pub driver: Option<Driver>,
    /// The visible NVIDIA GPUs; `None` when not known.
    #[serde(default)]
    pub gpus: Option<Vec<Gpu>>,
    /// The Python the environment has or would have.
    #[serde(default)]
    pub python: Option<PythonFacts>,
    /// How driver and GPUs were learned.
    #[serde(default)]
    pub sources: Sources,
    /// What else is worth knowing, in sentences.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What only Windows has; `None` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<WindowsFacts>,
}

impl Machine {
    /// A machine of which nothing but system and processor is known: no driver, GPUs unknown.
    pub fn bare(os: Os, arch: Arch) -> Self {
        Self {
            os,
            os_version: None,
            arch,
            glibc: None,
            wsl: false,
            driver: None,
            gpus: None,
            python: None,
            sources: Sources::default(),
            notes: Vec::new(),
            windows: None,
        }
    }

    /// The system whose NVIDIA driver serves this machine: in WSL it is that of Windows.
    pub fn driver_os(&self) -> Os {
        if self.wsl { Os::Windows } else { self.os }
    }
}

/// The NVIDIA driver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Driver {
    /// Its version; `None` when a driver is there but does not say.
    #[serde(default)]
    pub version: Option<DriverVersion>,
    /// The newest CUDA it supports by its own word.
    #[serde(default)]
    pub cuda: Option<CudaVersion>,
}

/// One GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// Its place in the driver's order.
    #[serde(default)]
    pub index: u32,
    /// Its marketing name.
    #[serde(default)]
    pub name: Option<String>,
    /// Its compute capability.
    #[serde(default)]
    pub compute_capability: Option<ComputeCapability>,
    /// Its memory in MiB.
    #[serde(default)]
    pub memory_mib: Option<u64>,
    /// PCI vendor and device, `10de:1b06`.
    #[serde(default)]
    pub pci_id: Option<String>,
}

/// A Python interpreter, as far as wheels care.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PythonFacts {
    /// `3.12.9`.
    pub version: Version,
    /// `cpython`.
    #[serde(default = "cpython")]
    pub implementation: String,
    /// `cp312`; ends in `t` when free-threaded.
    #[serde(default)]
    pub abi: Option<String>,
    /// Whether it runs without the global interpreter lock.
    #[serde(default)]
    pub free_threaded: bool,
    /// 64 or 32.
    #[serde(default = "sixty_four")]
    pub bits: u8,
}

fn cpython() -> String {
    "cpython".to_owned()
}

fn sixty_four() -> u8 {
    64
}

/// How driver, GPUs and Python were learned; that there are none has a source as well.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sources {
    /// Of the driver.
    #[serde(default)]
    pub driver: Option<Source>,
    /// Of the GPUs.
    #[serde(default)]
    pub gpus: Option<Source>,
    /// The Python that was asked; its path is for this machine's user and stays out of the JSON.
    #[serde(skip)]
    pub interpreter: Option<PathBuf>,
}

/// A way of learning a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Stated on the command line or in a facts file.
    Override,
    /// NVIDIA's management library.
    Nvml,
    /// `libcuda`, `nvcuda.dll`.
    DriverLibrary,
    /// `/proc/driver/nvidia/version`.
    Proc,
    /// `/sys/module/nvidia/version`.
    SysModule,
    /// The registry of Windows.
    Registry,
    /// The files in System32.
    SystemFolder,
    /// The PCI bus, its ids looked up in the manifests.
    Pci,
    /// The `nvidia-smi` program.
    NvidiaSmi,
    /// Any other, from a facts file.
    #[serde(other)]
    Unknown,
}
