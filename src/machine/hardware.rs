//! What detection looks up in the manifests.

use crate::vocab::{ComputeCapability, CudaVersion, DriverVersion, Os};

/// A GPU model, as the manifests know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuModel {
    /// Its marketing name.
    pub name: String,
    /// Its compute capability.
    pub compute_capability: ComputeCapability,
}

/// What detection has to look up; the manifests implement it, and who knows less leaves it out.
pub trait HardwareTable: Sync {
    /// The GPU with this PCI vendor and device, `10de:1b06`.
    fn gpu_by_pci_id(&self, _pci_id: &str) -> Option<GpuModel> {
        None
    }

    /// The GPU with this marketing name, however NVIDIA's tools decorate it.
    fn gpu_by_name(&self, _name: &str) -> Option<GpuModel> {
        None
    }

    /// The newest CUDA that a driver supports natively on this system.
    fn cuda_of_driver(&self, _driver: &DriverVersion, _os: Os) -> Option<CudaVersion> {
        None
    }

    /// The libraries of Windows' System32 that decide whether torch loads, and that not every Windows has.
    fn system_libraries(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Knows nothing.
impl HardwareTable for () {}
