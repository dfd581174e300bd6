//! What the system itself says of the driver.

use crate::host::Host;
use crate::machine::Source;
use crate::machine::platform::text;
use crate::vocab::DriverVersion;

/// The version of the loaded kernel module, and which file said it.
pub fn driver_version(host: &Host) -> Option<(DriverVersion, Source)> {
    let proc = || text(&host.system_path("/proc/driver/nvidia/version")).and_then(|text| version_in_proc(&text));
    let module = || text(&host.system_path("/sys/module/nvidia/version")).and_then(|text| text.trim().parse().ok());
    let from_proc = proc().map(|version| (version, Source::Proc));
    from_proc.or_else(|| module().map(|version| (version, Source::SysModule)))
}

/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue …`, or `… Open Kernel Module for x86_64  570.86.15 …`.
fn version_in_proc(text: &str) -> Option<DriverVersion> {
    let line = text.lines().find(|line| line.starts_with("NVRM version:"))?;
    line.split_whitespace().filter(|word| word.contains('.')).find_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_module_say_their_version() {
        let closed = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 22:20:39 UTC 2023\n\
                      GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n";
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build  (dvs-builder@)";
        assert_eq!(version_in_proc(closed).unwrap().to_string(), "535.54.03");
        assert_eq!(version_in_proc(open).unwrap().to_string(), "570.124.06");
        for garbage in ["", "NVRM version:", "NVRM version: nonsense 1.2.3.4.5.6", "GCC version: 12.2.0"] {
            assert_eq!(version_in_proc(garbage), None, "{garbage}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(NVRM version:)?.*") {
            let _ = version_in_proc(&text);
        }
    }
}
