//! Display cards on the PCI bus, and how Linux lists them.

use std::path::Path;

use crate::host::Host;
use crate::machine::platform::text;
use crate::vocab::DriverVersion;

/// More than any bus holds.
const MAX_DEVICES: usize = 65_536;

/// A display controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Display {
    /// Domain, bus, device and function: `0000:01:00.0`; empty when not known.
    pub address: String,
    /// Vendor and device: `10de:1b06`.
    pub id: String,
    /// The kernel driver it belongs to.
    pub driver: Option<String>,
    /// What NVIDIA's driver calls it, where the system keeps that.
    pub name: Option<String>,
    /// Its memory in MiB, where the system keeps that.
    pub memory_mib: Option<u64>,
    /// The version of NVIDIA's driver for it, where the system keeps that.
    pub driver_version: Option<DriverVersion>,
    /// Whether it can be used at all.
    pub presence: Presence,
}

/// Whether a display controller can be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is in the machine.
    Here,
    /// It is, and the user has turned it off.
    TurnedOff,
    /// It was, and the system remembers it.
    TakenOut,
}

impl Display {
    /// Whether NVIDIA made it.
    pub fn is_nvidia(&self) -> bool {
        self.id.starts_with("10de:")
    }

    /// Whether NVIDIA's kernel driver serves it: `nvidia`, on Windows `nvlddmkm`.
    pub fn is_driven(&self) -> bool {
        self.driver.as_deref().is_some_and(|driver| driver == "nvidia" || driver.eq_ignore_ascii_case("nvlddmkm"))
    }

    /// Whether it is Windows' own, as seen in WSL and on Hyper-V.
    pub fn is_microsoft(&self) -> bool {
        self.id.starts_with("1414:")
    }

    /// The variants that would use it, by what their names begin with; none for makers that torch has no builds for.
    pub fn family(&self) -> Option<&'static str> {
        match self.id.split(':').next() {
            Some("1002") => Some("rocm"),
            Some("8086") => Some("xpu"),
            _ => None,
        }
    }

    /// As notes name it.
    pub fn title(&self) -> String {
        let maker = match self.id.split(':').next() {
            Some("1002") => "the AMD display card",
            Some("8086") => "the Intel display card",
            _ => "the display card",
        };
        format!("{maker} {}{}", self.id, self.place())
    }

    /// ` at 0000:01:00.0`, where that is known.
    pub fn place(&self) -> String {
        if self.address.is_empty() { String::new() } else { format!(" at {}", self.address) }
    }
}

/// The display controllers, in the order of the bus; `None` when Linux does not list them.
pub fn displays(host: &Host) -> Option<Vec<Display>> {
    let devices = fs_err::read_dir(host.system_path("/sys/bus/pci/devices")).ok()?;
    let mut displays: Vec<Display> =
        devices.take(MAX_DEVICES).filter_map(|device| display(&device.ok()?.path())).collect();
    displays.sort_by(|one, other| one.address.cmp(&other.address));
    Some(displays)
}

/// `None` for a device of another class.
fn display(device: &Path) -> Option<Display> {
    let number = |name: &str| {
        let text = text(&device.join(name))?;
        u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
    };
    if number("class")? >> 16 != 0x03 {
        return None;
    }
    let (vendor, model) = (number("vendor")?, number("device")?);
    if vendor > 0xffff || model > 0xffff {
        return None;
    }
    let driver = fs_err::read_link(device.join("driver")).ok();
    Some(Display {
        address: device.file_name()?.to_str()?.to_owned(),
        id: format!("{vendor:04x}:{model:04x}"),
        driver: driver.and_then(|link| Some(link.file_name()?.to_str()?.to_owned())),
        name: None,
        memory_mib: None,
        driver_version: None,
        presence: Presence::Here,
    })
}
