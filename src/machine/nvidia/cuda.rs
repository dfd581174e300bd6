//! What the CUDA driver library knows.

use std::path::PathBuf;

use super::card::{self, Card, MAX_CARDS, Report};
use super::pci::Display;
use crate::machine::native::cuda::{Cuda, CudaCode, CudaDevice};
use crate::machine::{Driver, Gpu};
use crate::vocab::CudaVersion;

/// Visible cards, and the newest CUDA, by the driver library; `None` when it is not there or does not work, which the
/// notes then say.
pub fn ask(candidates: &[PathBuf], displays: &[Display], notes: &mut Vec<String>) -> Option<Report> {
    let cuda = Cuda::open(candidates)?;
    // The library alone, as some images carry it, proves no driver; that it starts does.
    match cuda.initialise() {
        Ok(()) => {}
        Err(CudaCode::NO_DEVICE) => {
            notes.push("the CUDA driver library sees no GPU".to_owned());
            return None;
        }
        Err(code) => {
            notes.push(format!("the CUDA driver library does not start: {}", code.meaning()));
            return None;
        }
    }
    let newest = cuda.driver_version().ok().and_then(CudaVersion::from_driver_number);
    let cards = cards(&cuda, displays, notes);
    // One that answers nothing sensible is no driver.
    let driver = newest.map(|newest| Driver { version: None, cuda: Some(newest) });
    Some(Report { driver, cards })
}

fn cards(cuda: &Cuda, displays: &[Display], notes: &mut Vec<String>) -> Option<Vec<Card>> {
    let count = match cuda.device_count().map(u32::try_from) {
        Ok(Ok(count)) if count <= MAX_CARDS => count,
        Ok(_) => {
            notes.push("the CUDA driver library counts GPUs in a way that is not believed".to_owned());
            return None;
        }
        Err(code) => {
            notes.push(format!("the CUDA driver library does not count GPUs: {}", code.meaning()));
            return None;
        }
    };
    let mut cards = Vec::new();
    for (index, ordinal) in (0..count).zip(0..) {
        match cuda.device(ordinal) {
            Ok(device) => cards.push(card(index, device, displays)),
            Err(code) => notes.push(format!("GPU {index} does not answer: {}", code.meaning())),
        }
    }
    Some(cards)
}

fn card(index: u32, device: CudaDevice, displays: &[Display]) -> Card {
    let address = device.pci_address().ok().map(|(domain, bus, slot)| format!("{domain:04x}:{bus:02x}:{slot:02x}.0"));
    let pci_id = address.and_then(|address| displays.iter().find(|display| display.address == address));
    let gpu = Gpu {
        index,
        name: device.name().ok(),
        compute_capability: device.compute_capability().ok().and_then(card::capability),
        memory_mib: device.memory().ok().and_then(card::mebibytes),
        pci_id: pci_id.filter(|display| display.is_nvidia()).map(|display| display.id.clone()),
    };
    Card { gpu, uuids: Vec::new() }
}
