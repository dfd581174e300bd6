//! The NVIDIA driver and its GPUs.

mod adapters;
mod card;
mod cuda;
mod kernel;
mod libraries;
mod nvml;
mod pci;
mod smi;
mod visible;

pub use visible::VisibleDevices;

use std::path::PathBuf;

use card::{Card, Report};
use pci::{Display, Presence};

use super::native::OPENS_LIBRARIES;
use super::native::nvml::NvmlCode;
use super::windows::registry::Registry;
use super::{Driver, Gpu, HardwareTable, Machine, Source};
use crate::host::Host;
use crate::vocab::Os;

/// Adds driver and GPUs to a machine whose system is known; see [`super::detect()`] for the order of the probes.
pub fn detect(
    host: &Host,
    registry: &dyn Registry,
    table: &dyn HardwareTable,
    visible: Option<&VisibleDevices>,
    machine: &mut Machine,
) {
    detect_with(host, registry, table, visible, OPENS_LIBRARIES, machine);
}

fn detect_with(
    host: &Host,
    registry: &dyn Registry,
    table: &dyn HardwareTable,
    visible: Option<&VisibleDevices>,
    opens_libraries: bool,
    machine: &mut Machine,
) {
    let os = machine.os;
    let listed = match os {
        Os::Linux => pci::displays(host),
        Os::Windows => adapters::displays(registry),
        Os::Macos => None,
    };
    let displays = listed.as_deref().unwrap_or_default();
    let mut found = Found::default();
    if opens_libraries {
        found.ask_libraries(host, registry, visible, displays, os);
    } else {
        found.notes.push(
            "this torchfix is linked statically and cannot open NVIDIA's libraries; what the kernel says is taken"
                .to_owned(),
        );
    }
    match os {
        Os::Windows => found.take_registered(displays),
        _ => found.ask_kernel(host),
    }
    found.take_displays(table, displays, os);
    let unlisted = machine.wsl || os == Os::Windows && listed.is_none();
    if !found.library_answered && found.is_incomplete() && (found.suggests_nvidia() || unlisted) {
        found.ask_smi(&libraries::smi(host, registry, os));
    }
    found.judge_driver(os);
    found.hide(host, visible);
    found.note_other_displays(host, displays, machine.wsl);
    found.name_sources_of_absence(host, os, listed.is_some());
    found.settle(machine);
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    driver: Option<Driver>,
    driver_source: Option<Source>,
    cards: Option<Vec<Card>>,
    cards_source: Option<Source>,
    /// Whether NVML or the driver library spoke for driver and cards.
    library_answered: bool,
    /// Whether NVML says that the kernel's part of the driver does not run.
    driver_unloaded: bool,
    /// Whether the driver library has left out already what `CUDA_VISIBLE_DEVICES` hides.
    filtered: bool,
    notes: Vec<String>,
}

impl Found {
    fn ask_libraries(
        &mut self,
        host: &Host,
        registry: &dyn Registry,
        visible: Option<&VisibleDevices>,
        displays: &[Display],
        os: Os,
    ) {
        match nvml::ask(&libraries::nvml(host, registry, os), &mut self.notes) {
            Ok(Some(report)) => self.take(report, Source::Nvml),
            Ok(None) => {}
            Err(code) => {
                self.notes.push(nvml::does_not_start(code));
                self.driver_unloaded = code == NvmlCode::DRIVER_NOT_LOADED;
            }
        }
        // CUDA counts the fastest card first, NVML in the order of the bus: which card `1` is, only CUDA can tell.
        let order_matters = visible.is_none()
            && host.text_variable("CUDA_DEVICE_ORDER") != Some("PCI_BUS_ID")
            && VisibleDevices::of_cuda(host).is_some_and(|visible| visible.has_indices())
            && self.cards.as_ref().is_some_and(|cards| cards.iter().any(|card| !card.is_like(&cards[0])));
        if self.cards.is_some() && !order_matters {
            return;
        }
        match cuda::ask(&libraries::cuda(host, registry, os), displays, &mut self.notes) {
            Some(report) if order_matters => {
                self.cards = report.cards;
                self.cards_source = Some(Source::DriverLibrary);
                self.filtered = true;
            }
            Some(report) => {
                self.filtered = true;
                self.take(report, Source::DriverLibrary);
            }
            None if order_matters => self.notes.push(
                "CUDA counts the fastest GPU first; the numbers in CUDA_VISIBLE_DEVICES were taken in the order of the \
                 bus"
                    .to_owned(),
            ),
            None => {}
        }
    }

    fn take(&mut self, report: Report, source: Source) {
        self.library_answered |= report.cards.is_some();
        if let Some(driver) = report.driver {
            self.driver.get_or_insert(driver);
            self.driver_source.get_or_insert(source);
        }
        if let Some(cards) = report.cards {
            self.cards.get_or_insert(cards);
            self.cards_source.get_or_insert(source);
        }
    }

    fn ask_kernel(&mut self, host: &Host) {
        if self.driver.as_ref().is_some_and(|driver| driver.version.is_some()) {
            return;
        }
        if let Some((version, source)) = kernel::driver_version(host) {
            self.driver.get_or_insert(Driver { version: None, cuda: None }).version = Some(version);
            self.driver_source = Some(source);
        }
    }

    /// What the registry says that is installed, which is not yet that it works.
    fn take_registered(&mut self, displays: &[Display]) {
        let known = self.driver.as_ref().is_some_and(|driver| driver.version.is_some());
        let mut versions = displays.iter().filter(|display| display.is_nvidia() && display.presence == Presence::Here);
        let Some(version) = versions.find_map(|display| display.driver_version.clone()).filter(|_| !known) else {
            return;
        };
        if self.driver_unloaded {
            self.notes.push(format!("NVIDIA's driver {version} is installed, but does not run: install it anew"));
            return;
        }
        self.driver.get_or_insert(Driver { version: None, cuda: None }).version = Some(version);
        self.driver_source = Some(Source::Registry);
    }

    fn take_displays(&mut self, table: &dyn HardwareTable, displays: &[Display], os: Os) {
        let nvidia = || displays.iter().filter(|display| display.is_nvidia());
        if self.cards.is_some() || nvidia().next().is_none() {
            return;
        }
        let mut cards = Vec::new();
        for display in nvidia() {
            match display.presence {
                Presence::Here => {}
                Presence::TurnedOff => {
                    let place = display.place();
                    self.notes
                        .push(format!("the NVIDIA card{place} is turned off in the device manager: it counts as none"));
                    continue;
                }
                Presence::TakenOut => {
                    let id = &display.id;
                    self.notes.push(format!("Windows remembers an NVIDIA card {id} that is not in the machine now"));
                    continue;
                }
            }
            if let Some(user) = display.driver.as_deref().filter(|_| !display.is_driven()) {
                self.notes.push(format!("the NVIDIA card{} belongs to the kernel driver `{user}`", display.place()));
                // A card that is passed through to a virtual machine is not this system's.
                if user == "vfio-pci" {
                    continue;
                }
            }
            let index = u32::try_from(cards.len()).unwrap_or(u32::MAX);
            cards.push(Card::of_display(index, display, table));
        }
        self.cards = Some(cards);
        self.cards_source = Some(if os == Os::Windows { Source::Registry } else { Source::Pci });
    }

    fn is_incomplete(&self) -> bool {
        self.driver.is_none()
            || self.cards.as_ref().is_none_or(|cards| cards.iter().any(|card| card.gpu.compute_capability.is_none()))
    }

    fn suggests_nvidia(&self) -> bool {
        self.driver.is_some() || self.cards.as_ref().is_some_and(|cards| !cards.is_empty())
    }

    fn ask_smi(&mut self, candidates: &[PathBuf]) {
        let Some(report) = smi::ask(candidates, &mut self.notes) else { return };
        if let Some(driver) = report.driver {
            let known = self.driver.get_or_insert(Driver { version: None, cuda: None });
            if known.version.is_none() {
                known.version = driver.version;
                self.driver_source = Some(Source::NvidiaSmi);
            }
            known.cuda = known.cuda.or(driver.cuda);
        }
        if let Some(cards) = report.cards.filter(|cards| !cards.is_empty()) {
            self.cards = Some(cards);
            self.cards_source = Some(Source::NvidiaSmi);
        }
    }

    fn judge_driver(&mut self, os: Os) {
        let cards = self.cards.as_ref().map_or(0, Vec::len);
        if self.driver.is_none() && cards > 0 {
            self.notes.push("an NVIDIA card is there, but no working driver".to_owned());
        } else if self.driver.is_some() && !self.library_answered && os == Os::Windows {
            self.notes.push(
                "NVIDIA's driver is installed, but neither its nvml.dll nor its nvcuda.dll answers: install it anew"
                    .to_owned(),
            );
        } else if self.driver.is_some() && !self.library_answered && OPENS_LIBRARIES {
            self.notes.push(
                "the kernel has NVIDIA's driver, but its library libcuda does not answer here; in a container, start it \
                 with `--gpus all`"
                    .to_owned(),
            );
        }
    }

    fn hide(&mut self, host: &Host, visible: Option<&VisibleDevices>) {
        let Some(mut cards) = self.cards.take() else { return };
        let chosen = match visible {
            Some(visible) => Some((visible.clone(), "--visible")),
            None if self.filtered => None,
            None => VisibleDevices::of_cuda(host).map(|visible| (visible, "CUDA_VISIBLE_DEVICES")),
        };
        let container = VisibleDevices::of_container(host, cards.len());
        let container = container.map(|visible| (visible, "NVIDIA_VISIBLE_DEVICES"));
        for (choice, by) in chosen.into_iter().chain(container) {
            let (kept, hidden) = choice.split(cards);
            cards = kept;
            self.notes.extend(hidden.iter().map(|card| format!("{} is hidden by {by}", card.title())));
        }
        self.cards = Some(cards);
    }

    fn note_other_displays(&mut self, host: &Host, displays: &[Display], wsl: bool) {
        let others = displays.iter().filter(|display| !(display.is_nvidia() || wsl && display.is_microsoft()));
        for display in others.filter(|display| display.presence == Presence::Here) {
            let by_name = match display.family() {
                Some("xpu") => "; `--variant xpu` takes a build for Intel's GPUs",
                Some(_) => "; a build for ROCm is taken when its variant is named",
                None => "",
            };
            self.notes.push(format!("{} is not NVIDIA's and counts as none{by_name}", display.title()));
        }
        let amd = displays.iter().any(|display| display.family() == Some("rocm"));
        // AMD's accelerators without an output are no display controllers.
        if !amd && host.system_path("/dev/kfd").exists() {
            self.notes
                .push("an AMD GPU is there (/dev/kfd) and counts as none unless a ROCm variant is named".to_owned());
        }
    }

    /// That there is nothing was learned somewhere as well: where what there is would stand.
    fn name_sources_of_absence(&mut self, host: &Host, os: Os, listed: bool) {
        let (driver, cards) = match os {
            Os::Linux => (host.system_path("/proc").is_dir().then_some(Source::Proc), Source::Pci),
            Os::Windows => (listed.then_some(Source::Registry), Source::Registry),
            Os::Macos => (None, Source::Pci),
        };
        if self.driver.is_none() {
            self.driver_source = driver;
        }
        if self.cards.is_none() && self.driver.is_none() && listed {
            self.cards_source = Some(cards);
        }
    }

    fn settle(self, machine: &mut Machine) {
        // With a driver and no word on cards, cards are not known; with neither there are none.
        let none = || if self.driver.is_some() { None } else { Some(Vec::new()) };
        machine.gpus =
            self.cards.map_or_else(none, |cards| Some(cards.into_iter().map(|card| card.gpu).collect::<Vec<Gpu>>()));
        machine.sources.gpus = self.cards_source;
        machine.driver = self.driver;
        machine.sources.driver = self.driver_source;
        machine.notes.extend(self.notes);
    }
}

#[cfg(test)]
#[cfg(unix)]
#[path = "static_tests.rs"]
mod static_tests;
#[cfg(test)]
#[path = "windows_tests.rs"]
mod windows_tests;
