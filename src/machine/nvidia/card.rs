//! A card as a probe reports it.

use super::pci::Display;
use crate::machine::{Driver, Gpu, HardwareTable};
use crate::vocab::ComputeCapability;

/// No machine holds more; a larger number is garbage.
pub const MAX_CARDS: u32 = 256;
/// No card has more memory; a larger number is garbage.
const MAX_MEMORY_MIB: u64 = 64 << 20;

/// What one probe found.
#[derive(Debug, Default)]
pub struct Report {
    /// The driver, if the probe knows of one.
    pub driver: Option<Driver>,
    /// The cards; `None` when the probe cannot tell.
    pub cards: Option<Vec<Card>>,
}

/// A card, with the names it can be chosen by.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// What the facts say of it.
    pub gpu: Gpu,
    /// Its UUID, and those of its MIG devices.
    pub uuids: Vec<String>,
}

impl Card {
    /// A card of which only the system knows, not NVIDIA's libraries.
    pub fn of_display(index: u32, display: &Display, table: &dyn HardwareTable) -> Self {
        let by_name = || table.gpu_by_name(display.name.as_ref()?);
        let model = table.gpu_by_pci_id(&display.id).or_else(by_name);
        let compute_capability = model.as_ref().map(|model| model.compute_capability);
        let name = display.name.clone().or(model.map(|model| model.name));
        let pci_id = Some(display.id.clone());
        Self { gpu: Gpu { index, name, compute_capability, memory_mib: display.memory_mib, pci_id }, uuids: Vec::new() }
    }

    /// Whether builds cannot tell it from another.
    pub fn is_like(&self, other: &Self) -> bool {
        self.gpu.compute_capability == other.gpu.compute_capability && self.gpu.name == other.gpu.name
    }

    /// As notes name it.
    pub fn title(&self) -> String {
        match &self.gpu.name {
            Some(name) => format!("GPU {} ({name})", self.gpu.index),
            None => format!("GPU {}", self.gpu.index),
        }
    }
}

/// A compute capability out of two integers, if it is one.
pub fn capability((major, minor): (i32, i32)) -> Option<ComputeCapability> {
    format!("{major}.{minor}").parse().ok()
}

/// MiB out of bytes, if it is a plausible size.
pub fn mebibytes(bytes: u64) -> Option<u64> {
    plausible_mebibytes(bytes >> 20)
}

/// A size in MiB, if it is a plausible one.
pub fn plausible_mebibytes(mebibytes: u64) -> Option<u64> {
    Some(mebibytes).filter(|size| (1..=MAX_MEMORY_MIB).contains(size))
}

/// `10de:1b06` out of `0x1b0610de`; `None` when the vendor is not NVIDIA.
pub fn pci_id(number: u32) -> Option<String> {
    (number & 0xffff == 0x10de).then(|| format!("10de:{:04x}", number >> 16))
}
