//! Display cards as Windows' registry lists them.
//!
//! <https://learn.microsoft.com/en-us/windows-hardware/drivers/install/hklm-system-currentcontrolset-enum-registry-tree>

use super::card;
use super::pci::{Display, Presence};
use crate::machine::windows::registry::Registry;
use crate::vocab::DriverVersion;

/// Every PCI device this Windows has ever had: a key for each model, in it one for each place it was in.
const PCI: &str = r"HKLM\SYSTEM\CurrentControlSet\Enum\PCI";
/// What the drivers say of themselves.
const CLASSES: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Class";
/// The class of display adapters.
const DISPLAY: &str = "{4d36e968-e325-11ce-bfc1-08002be10318}";
/// `CONFIGFLAG_DISABLED`: turned off in the device manager.
const DISABLED: u64 = 0x1;
/// `CONFIGFLAG_REMOVED`: taken out, its key not yet cleared away.
const REMOVED: u64 = 0x2;

/// The display cards, in the order of the bus; `None` when the registry does not tell.
///
/// The key of a device stays when the card is taken out. What Windows started with this time has a key `Control` inside
/// it, which is never written to disk; that counts where any PCI device at all has one.
pub fn displays(registry: &dyn Registry) -> Option<Vec<Display>> {
    let mut devices = Vec::new();
    for model in registry.keys(PCI)? {
        let places = registry.keys(&format!(r"{PCI}\{model}")).unwrap_or_default();
        devices.extend(places.into_iter().map(|place| (model.clone(), format!(r"{PCI}\{model}\{place}"))));
    }
    let started = |path: &str| {
        let inside = registry.keys(path).unwrap_or_default();
        inside.iter().any(|key| key.eq_ignore_ascii_case("Control"))
    };
    let tells_presence = devices.iter().any(|(_, path)| started(path));
    let mut displays: Vec<Display> = devices
        .iter()
        .filter(|(_, path)| is_display(registry, path))
        .filter_map(|(model, path)| display(registry, model, path, !tells_presence || started(path)))
        .collect();
    displays.sort_by(|one, other| one.address.cmp(&other.address));
    Some(displays)
}

/// A card without any driver has no class yet; then what it says of itself counts: PCI class 03.
fn is_display(registry: &dyn Registry, path: &str) -> bool {
    match registry.text(path, "ClassGUID") {
        Some(class) => class.eq_ignore_ascii_case(DISPLAY),
        None => registry.texts(path, "CompatibleIDs").iter().any(|id| id.to_ascii_uppercase().contains("CC_03")),
    }
}

/// `None` for one that is no real device.
fn display(registry: &dyn Registry, model: &str, path: &str, started: bool) -> Option<Display> {
    let flags = registry.number(path, "ConfigFlags").unwrap_or(0);
    let presence = match flags {
        _ if flags & REMOVED != 0 || !started && flags & DISABLED == 0 => Presence::TakenOut,
        _ if flags & DISABLED != 0 => Presence::TurnedOff,
        _ => Presence::Here,
    };
    let id = id(model)?;
    let driver = registry.text(path, "Driver").map(|key| format!(r"{CLASSES}\{key}"));
    let of_driver = |name: &str| registry.text(driver.as_ref()?, name);
    let service = registry.text(path, "Service");
    // Windows' own driver calls every card by its own name, and has its own version.
    let is_nvidias = service.as_deref().is_some_and(|service| service.eq_ignore_ascii_case("nvlddmkm"));
    let memory = driver.as_ref().and_then(|key| registry.number(key, "HardwareInformation.qwMemorySize"));
    Some(Display {
        address: registry.text(path, "LocationInformation").as_deref().and_then(address).unwrap_or_default(),
        id,
        driver: service,
        name: is_nvidias.then(|| name(registry, path).or_else(|| of_driver("DriverDesc"))).flatten(),
        memory_mib: memory.and_then(card::mebibytes),
        driver_version: of_driver("DriverVersion").filter(|_| is_nvidias).as_deref().and_then(version),
        presence,
    })
}

/// `10de:2684` out of `VEN_10DE&DEV_2684&SUBSYS_…`; zeros are what Wine's made-up card has.
fn id(model: &str) -> Option<String> {
    let model = model.to_ascii_lowercase();
    let part = |label: &str| {
        let digits = model.split('&').find_map(|part| part.strip_prefix(label))?;
        let is_number = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_number.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
    };
    let (vendor, device) = (part("ven_").filter(|vendor| *vendor != 0)?, part("dev_")?);
    Some(format!("{vendor:04x}:{device:04x}"))
}

/// `NVIDIA GeForce RTX 4090` out of `@oem12.inf,%nvidia_dev.2684.01%;NVIDIA GeForce RTX 4090`.
fn name(registry: &dyn Registry, path: &str) -> Option<String> {
    let text = registry.text(path, "FriendlyName").or_else(|| registry.text(path, "DeviceDesc"))?;
    let name = text.rsplit(';').next().unwrap_or_default().trim();
    // A reference to a driver's file that nobody resolved is no name.
    Some(name.to_owned()).filter(|name| !name.is_empty() && !name.starts_with('@'))
}

/// `0000:01:00.0` out of `@System32\drivers\pci.sys,#65536;PCI bus %1, device %2, function %3;(1,0,0)`, or the same in
/// words: `PCI bus 1, device 0, function 0`.
fn address(location: &str) -> Option<String> {
    let place = location.rsplit(';').next().unwrap_or_default();
    let numbers = place.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let numbers: Vec<u16> = numbers.map(str::parse::<u16>).collect::<Result<_, _>>().ok()?;
    let [bus, device, function] = numbers[..] else { return None };
    // A bus beyond 255 is one of another segment.
    Some(format!("{:04x}:{:02x}:{device:02x}.{function:x}", bus >> 8, bus & 0xff))
}

/// NVIDIA's number out of Windows': the last five digits of `32.0.15.7283` are 572.83.
fn version(windows: &str) -> Option<DriverVersion> {
    let mut numbers = windows.trim().rsplit('.');
    let (last, before) = (numbers.next()?, numbers.next()?);
    let is_number = |text: &str| !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(last) || !is_number(before) || numbers.count() != 2 {
        return None;
    }
    let digits = format!("{before}{last:0>4}");
    let (branch, release) = digits[digits.len() - 5..].split_at(3);
    format!("{branch}.{release}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::windows::registry::{MadeUpRegistry, RegistryValue};

    const ADA: &str =
        r"HKLM\SYSTEM\CurrentControlSet\Enum\PCI\VEN_10DE&DEV_2684&SUBSYS_889D1043&REV_A1\4&1FC990D7&0&0019";
    const INTEL: &str =
        r"HKLM\SYSTEM\CurrentControlSet\Enum\PCI\VEN_8086&DEV_46A6&SUBSYS_0B191028&REV_0C\3&11583659&0&10";

    fn card(registry: &mut MadeUpRegistry, path: &str, number: &str) {
        registry.add_text(path, "ClassGUID", "{4D36E968-E325-11CE-BFC1-08002BE10318}").add_text(
            path,
            "Driver",
            &format!(r"{DISPLAY}\{number}"),
        );
    }

    fn laptop() -> MadeUpRegistry {
        let mut registry = MadeUpRegistry::default();
        card(&mut registry, ADA, "0001");
        registry
            .add_text(ADA, "DeviceDesc", "@oem12.inf,%nvidia_dev.2684.01%;NVIDIA GeForce RTX 4090")
            .add_text(
                ADA,
                "LocationInformation",
                r"@System32\drivers\pci.sys,#65536;PCI bus %1, device %2, function %3;(1,0,0)",
            )
            .add_text(ADA, "Service", "nvlddmkm")
            .add_number(ADA, "ConfigFlags", 0);
        let class = format!(r"{CLASSES}\{DISPLAY}\0001");
        registry
            .add_text(&class, "DriverVersion", "32.0.15.7283")
            .add_text(&class, "DriverDesc", "NVIDIA GeForce RTX 4090")
            .add_number(&class, "HardwareInformation.qwMemorySize", 24564 << 20);
        card(&mut registry, INTEL, "0000");
        registry.add_text(INTEL, "Service", "igfxn").add_text(
            INTEL,
            "LocationInformation",
            "PCI bus 0, device 2, function 0",
        );
        registry.add_text(&format!(r"{CLASSES}\{DISPLAY}\0000"), "DriverVersion", "31.0.101.4502");
        let sound = r"HKLM\SYSTEM\CurrentControlSet\Enum\PCI\VEN_10DE&DEV_22BA&SUBSYS_0&REV_A1\4&1FC990D7&0&0119";
        registry.add_text(sound, "ClassGUID", "{4d36e97d-e325-11ce-bfc1-08002be10318}");
        registry
    }

    #[test]
    fn a_laptop_with_two_cards() {
        let displays = displays(&laptop()).unwrap();
        let [intel, ada] = &displays[..] else { panic!("{displays:?}") };
        assert_eq!((intel.address.as_str(), intel.id.as_str()), ("0000:00:02.0", "8086:46a6"));
        assert_eq!((&intel.name, &intel.driver_version), (&None, &None), "only NVIDIA's versions are read");
        assert_eq!((ada.address.as_str(), ada.id.as_str()), ("0000:01:00.0", "10de:2684"));
        assert_eq!(ada.name.as_deref(), Some("NVIDIA GeForce RTX 4090"));
        assert_eq!(ada.driver_version.as_ref().unwrap().to_string(), "572.83");
        assert_eq!((ada.memory_mib, ada.driver.as_deref()), (Some(24564), Some("nvlddmkm")));
        assert_eq!(super::displays(&MadeUpRegistry::default()), None);
    }

    #[test]
    fn a_card_that_was_taken_out_does_not_count() {
        let mut registry = laptop();
        let gone = r"HKLM\SYSTEM\CurrentControlSet\Enum\PCI\VEN_10DE&DEV_1B06&SUBSYS_0&REV_A1\4&1&0&0008";
        card(&mut registry, gone, "0002");
        let presence = |registry: &MadeUpRegistry, id: &str| {
            let displays = displays(registry).unwrap();
            displays.into_iter().find(|display| display.id == id).unwrap().presence
        };
        assert_eq!(presence(&registry, "10de:1b06"), Presence::Here, "no device says whether it is there");
        registry.add_key(&format!(r"{ADA}\Control")).add_key(&format!(r"{INTEL}\Control"));
        assert_eq!(presence(&registry, "10de:1b06"), Presence::TakenOut);
        assert_eq!(
            (presence(&registry, "10de:2684"), presence(&registry, "8086:46a6")),
            (Presence::Here, Presence::Here)
        );
        registry.add_key(&format!(r"{gone}\Control")).add_number(gone, "ConfigFlags", REMOVED);
        assert_eq!(presence(&registry, "10de:1b06"), Presence::TakenOut);
        registry.add_number(ADA, "ConfigFlags", DISABLED);
        assert_eq!(presence(&registry, "10de:2684"), Presence::TurnedOff);
    }

    #[test]
    fn windows_own_driver_is_not_nvidias() {
        let mut registry = laptop();
        registry.add_text(ADA, "Service", "BasicDisplay").add_text(
            ADA,
            "DeviceDesc",
            "Microsoft Basic Display Adapter",
        );
        let ada = &displays(&registry).unwrap()[1];
        assert_eq!((&ada.name, &ada.driver_version, ada.driver.as_deref()), (&None, &None, Some("BasicDisplay")));
    }

    #[test]
    fn a_card_without_any_driver_is_one() {
        let mut registry = MadeUpRegistry::default();
        let ids = vec![r"PCI\VEN_10DE&CC_030200".to_owned(), r"PCI\CC_0302".to_owned()];
        registry.add_value(ADA, "CompatibleIDs", RegistryValue::Texts(ids)).add_number(ADA, "ConfigFlags", 0x40);
        let displays = displays(&registry).unwrap();
        assert_eq!((displays[0].id.as_str(), &displays[0].driver), ("10de:2684", &None));
    }

    #[test]
    fn nvidias_version_is_in_the_last_five_digits() {
        let read = |text: &str| version(text).map(|version| version.to_string());
        for (windows, nvidias) in [
            ("32.0.15.7283", "572.83"),
            ("31.0.15.3623", "536.23"),
            ("27.21.14.5671", "456.71"),
            ("26.21.14.3200", "432.00"),
            ("9.18.13.697", "306.97"),
            ("32.0.16.1047", "610.47"),
        ] {
            assert_eq!(read(windows).as_deref(), Some(nvidias), "{windows}");
        }
        for bad in ["", "572.83", "32.0.15", "32.0.15.", "32.0.15.72831", "32.0.x.7283", "1.2.3.4.5", "0.0.0.0"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_and_places_may_be_anything() {
        assert_eq!(id("VEN_10DE&DEV_2684&SUBSYS_0").as_deref(), Some("10de:2684"));
        for bad in ["", "VEN_10DE", "VEN_10DE&DEV_26841", "VEN_+0DE&DEV_2684", "VEN_0000&DEV_0000", "DEV_2684"] {
            assert_eq!(id(bad), None, "{bad}");
        }
        assert_eq!(address("(257,3,1)").as_deref(), Some("0001:01:03.1"));
        for bad in ["", "(1,0)", "(1,0,0,0)", "(70000,0,0)", "PCI Slot 3"] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(VEN_|DEV_|;|\\.|[0-9]|.){0,40}") {
            let _ = (id(&text), address(&text), version(&text));
        }
    }
}
