//! The rows of `manifests/*.toml`, as serde reads them.

mod cuda;
mod cudnn;
mod dlls;
mod gpus;
mod indexes;
mod platform;
mod torch;

pub use cuda::{
    Branch, Cubin, CubinFile, CudaFile, Family, Joined, LastBranch, LibraryFault, Retired, Target, Toolkit,
};
pub use cudnn::{CudnnFile, CudnnFloor};
pub use dlls::{
    AbsentDll, Alike, Alone, DllFacts, DllFolder, FallbackFolder, Lookup, RuntimeDll, RuntimeFloor, RuntimeProbe,
    SystemDlls, holds, matches_name,
};
pub use gpus::{GpuFile, GpuRow};
pub use indexes::{DefaultIndex, FamilyNames, IndexFile, TorchChannel, TorchIndex};
pub use platform::{Platform, PythonAbi};
pub use torch::{Build, Extension, Limit, Release, RocmRow, TorchFile};

use std::collections::BTreeMap;

/// The form of the files that this torchfix reads.
pub const SCHEMA: u32 = 1;

/// What the keys of `source` stand for.
pub type SourceTexts = BTreeMap<String, String>;
