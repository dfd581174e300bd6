//! What NVML knows.

use std::path::PathBuf;

use super::card::{self, Card, MAX_CARDS, Report};
use crate::machine::native::nvml::{Nvml, NvmlCode, NvmlDevice};
use crate::machine::{Driver, Gpu};
use crate::vocab::CudaVersion;

/// No card splits into more parts.
const MAX_PARTS: u32 = 64;

/// Driver and cards by NVML; `None` when it is not there.
pub fn ask(candidates: &[PathBuf], notes: &mut Vec<String>) -> Result<Option<Report>, NvmlCode> {
    let Some(nvml) = Nvml::open(candidates).transpose()? else { return Ok(None) };
    let version = nvml.driver_version().ok().and_then(|version| version.parse().ok());
    let cuda = nvml.cuda_driver_version().ok().and_then(CudaVersion::from_driver_number);
    let driver = (version.is_some() || cuda.is_some()).then_some(Driver { version, cuda });
    Ok(Some(Report { driver, cards: cards(&nvml, notes) }))
}

/// That NVML does not start, and why.
pub fn does_not_start(code: NvmlCode) -> String {
    match code {
        NvmlCode::VERSION_MISMATCH => "NVIDIA's driver was updated and its kernel module was not: reboot".to_owned(),
        code => format!("NVML does not start: {}", code.meaning()),
    }
}

fn cards(nvml: &Nvml, notes: &mut Vec<String>) -> Option<Vec<Card>> {
    let count = match nvml.device_count() {
        Ok(count) if count <= MAX_CARDS => count,
        Ok(count) => {
            notes.push(format!("NVML counts {count} GPUs, which is not believed"));
            return None;
        }
        Err(code) => {
            notes.push(format!("NVML does not count GPUs: {}", code.meaning()));
            return None;
        }
    };
    let mut cards = Vec::new();
    for index in 0..count {
        match nvml.device(index) {
            Ok(device) => cards.push(card(index, device, notes)),
            Err(code) => notes.push(format!("GPU {index} does not answer: {}", code.meaning())),
        }
    }
    Some(cards)
}

fn card(index: u32, device: NvmlDevice, notes: &mut Vec<String>) -> Card {
    let gpu = Gpu {
        index,
        name: device.name().ok(),
        compute_capability: device.compute_capability().ok().and_then(card::capability),
        memory_mib: device.memory().ok().and_then(card::mebibytes),
        pci_id: device.pci_device_id().ok().and_then(card::pci_id),
    };
    let mut card = Card { gpu, uuids: device.uuid().into_iter().collect() };
    if device.is_split() == Ok(true) {
        notes.push(format!("{} is split into MIG devices, which have its compute capability", card.title()));
        let parts = device.part_count().unwrap_or(0).min(MAX_PARTS);
        card.uuids.extend((0..parts).filter_map(|part| device.part(part).ok()?.uuid().ok()));
    }
    card
}
