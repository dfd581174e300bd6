//! Drivers and cards of Windows machines, made up.

use std::path::Path;

use super::*;
use crate::machine::GpuModel;
use crate::machine::windows::registry::MadeUpRegistry;
use crate::vocab::Arch;

struct Table;

impl HardwareTable for Table {
    fn gpu_by_pci_id(&self, pci_id: &str) -> Option<GpuModel> {
        (pci_id == "10de:2684").then(|| model("GeForce RTX 4090", "8.9"))
    }
    fn gpu_by_name(&self, name: &str) -> Option<GpuModel> {
        name.contains("RTX 5070").then(|| model("GeForce RTX 5070", "12.0"))
    }
}

fn model(name: &str, capability: &str) -> GpuModel {
    GpuModel { name: name.to_owned(), compute_capability: capability.parse().unwrap() }
}

const CLASS: &str = r"{4d36e968-e325-11ce-bfc1-08002be10318}\0000";

fn path(device: &str) -> String {
    format!(r"HKLM\SYSTEM\CurrentControlSet\Enum\PCI\VEN_{device}&SUBSYS_0&REV_A1\4&1&0&0008")
}

/// A card that NVIDIA's driver serves.
fn card(device: &str, name: &str) -> MadeUpRegistry {
    let mut registry = MadeUpRegistry::default();
    registry
        .add_text(&path(device), "ClassGUID", CLASS.split('\\').next().unwrap())
        .add_text(&path(device), "Driver", CLASS)
        .add_text(&path(device), "Service", "nvlddmkm")
        .add_text(&path(device), "DeviceDesc", &format!("@oem1.inf,%x%;{name}"))
        .add_text(&path(device), "LocationInformation", "PCI bus 1, device 0, function 0")
        .add_text(&format!(r"HKLM\SYSTEM\CurrentControlSet\Control\Class\{CLASS}"), "DriverVersion", "32.0.15.7283");
    registry
}

fn seen(registry: &MadeUpRegistry) -> Machine {
    let root = tempfile::tempdir().unwrap();
    let host = Host::with(root.path(), Path::new("/"), &[]);
    let mut machine = Machine::bare(Os::Windows, Arch::X86_64);
    detect(&host, registry, &Table, None, &mut machine);
    machine
}

fn has_note(machine: &Machine, part: &str) -> bool {
    machine.notes.iter().any(|note| note.contains(part))
}

#[test]
fn a_card_whose_libraries_do_not_answer_still_has_name_and_driver() {
    let machine = seen(&card("10DE&DEV_2684", "NVIDIA GeForce RTX 4090"));
    assert_eq!(machine.driver.as_ref().unwrap().version.as_ref().unwrap().to_string(), "572.83");
    assert_eq!((machine.sources.driver, machine.sources.gpus), (Some(Source::Registry), Some(Source::Registry)));
    let gpu = &machine.gpus.as_ref().unwrap()[0];
    assert_eq!((gpu.name.as_deref(), gpu.pci_id.as_deref()), (Some("NVIDIA GeForce RTX 4090"), Some("10de:2684")));
    assert_eq!(gpu.compute_capability.unwrap().to_string(), "8.9");
    assert!(has_note(&machine, "nvml.dll"), "{:?}", machine.notes);
}

#[test]
fn a_card_too_new_for_the_manifests_is_known_by_its_name() {
    let machine = seen(&card("10DE&DEV_2F99", "NVIDIA GeForce RTX 5070"));
    assert_eq!(machine.gpus.unwrap()[0].compute_capability.unwrap().to_string(), "12.0");
}

#[test]
fn a_card_without_nvidias_driver_has_no_working_one() {
    let mut registry = card("10DE&DEV_2684", "Microsoft Basic Display Adapter");
    registry.add_text(&path("10DE&DEV_2684"), "Service", "BasicDisplay");
    let machine = seen(&registry);
    assert_eq!((&machine.driver, machine.sources.driver), (&None, Some(Source::Registry)));
    assert_eq!(machine.gpus.as_ref().unwrap()[0].name.as_deref(), Some("GeForce RTX 4090"));
    assert!(has_note(&machine, "no working driver") && has_note(&machine, "`BasicDisplay`"), "{:?}", machine.notes);
}

#[test]
fn a_card_that_is_turned_off_counts_as_none_and_that_is_said() {
    let mut registry = card("10DE&DEV_2684", "NVIDIA GeForce RTX 4090");
    registry.add_number(&path("10DE&DEV_2684"), "ConfigFlags", 1);
    let machine = seen(&registry);
    assert_eq!((&machine.driver, &machine.gpus), (&None, &Some(Vec::new())));
    assert!(has_note(&machine, "turned off in the device manager"), "{:?}", machine.notes);
}

#[test]
fn a_card_that_was_taken_out_is_only_told() {
    let mut registry = card("10DE&DEV_2684", "NVIDIA GeForce RTX 4090");
    registry.add_key(r"HKLM\SYSTEM\CurrentControlSet\Enum\PCI\VEN_8086&DEV_15B8\3&1&0&FE\Control");
    let machine = seen(&registry);
    assert_eq!((&machine.driver, &machine.gpus), (&None, &Some(Vec::new())));
    assert!(has_note(&machine, "10de:2684 that is not in the machine now"), "{:?}", machine.notes);
}

#[test]
fn a_machine_with_another_makers_card_has_none_of_nvidias() {
    let machine = seen(&card("8086&DEV_46A6", "Intel(R) Iris(R) Xe Graphics"));
    assert_eq!((&machine.driver, &machine.gpus), (&None, &Some(Vec::new())));
    assert_eq!((machine.sources.driver, machine.sources.gpus), (Some(Source::Registry), Some(Source::Registry)));
    assert!(has_note(&machine, "Intel display card 8086:46a6 at 0000:01:00.0"), "{:?}", machine.notes);
}

#[test]
fn what_is_installed_is_no_driver_where_nvml_says_that_none_runs() {
    let displays = adapters::displays(&card("10DE&DEV_2684", "NVIDIA GeForce RTX 4090")).unwrap();
    let mut found = Found { driver_unloaded: true, ..Found::default() };
    found.take_registered(&displays);
    assert_eq!((found.driver, found.driver_source), (None, None));
    assert!(found.notes[0].contains("572.83 is installed, but does not run"), "{:?}", found.notes);
}

#[test]
fn what_a_library_knows_of_the_driver_stays_and_the_registry_adds_the_version() {
    let displays = adapters::displays(&card("10DE&DEV_2684", "NVIDIA GeForce RTX 4090")).unwrap();
    let cuda = "12.8".parse().ok();
    let mut found = Found { driver: Some(Driver { version: None, cuda }), ..Found::default() };
    found.take_registered(&displays);
    assert_eq!(found.driver, Some(Driver { version: "572.83".parse().ok(), cuda }));
    let told = Driver { version: "580.10".parse().ok(), cuda };
    let mut found = Found { driver: Some(told.clone()), driver_source: Some(Source::Nvml), ..Found::default() };
    found.take_registered(&displays);
    assert_eq!((found.driver, found.driver_source), (Some(told), Some(Source::Nvml)));
}
