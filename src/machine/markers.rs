//! Marker values from facts alone, for machines that are not at hand.

use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder};

use super::{FactsError, Machine};
use crate::vocab::{Arch, Os};

/// The values of PEP 508 markers on a machine, as far as its facts tell them.
///
/// `platform_version` is Windows' version; elsewhere, where facts do not carry it, it is empty. No requirement of torch's
/// asks it.
pub fn markers_of(machine: &Machine) -> Result<MarkerEnvironment, FactsError> {
    let python = machine.python.as_ref().ok_or(FactsError::Missing { key: "python" })?;
    let (os_name, sys_platform, platform_system) = match machine.os {
        Os::Linux => ("posix", "linux", "Linux"),
        Os::Windows => ("nt", "win32", "Windows"),
        Os::Macos => ("posix", "darwin", "Darwin"),
    };
    let invalid = || FactsError::Invalid {
        key: "python.version".to_owned(),
        found: format!("`{}`", python.version),
        expected: "a Python version such as \"3.12.9\"",
    };
    let [major, minor, ..] = python.version.release() else { return Err(invalid()) };
    let full_version = python.version.to_string();
    MarkerEnvironmentBuilder {
        implementation_name: &python.implementation,
        implementation_version: &full_version,
        os_name,
        platform_machine: &platform_machine(machine),
        platform_python_implementation: platform_python_implementation(&python.implementation),
        platform_release: platform_release(machine),
        platform_system,
        platform_version: machine.os_version.as_deref().filter(|_| machine.os == Os::Windows).unwrap_or_default(),
        python_full_version: &full_version,
        python_version: &format!("{major}.{minor}"),
        sys_platform,
    }
    .try_into()
    .map_err(|_| invalid())
}

/// As `platform.release()` has it: a kernel's release, and of Windows its name, which its version does not tell apart.
fn platform_release(machine: &Machine) -> &str {
    const FIRST_OF_11: u32 = 22_000;
    let version = machine.os_version.as_deref().unwrap_or_default();
    if machine.os != Os::Windows {
        return version;
    }
    match version.strip_prefix("10.0.").and_then(|build| build.split('.').next()?.parse::<u32>().ok()) {
        Some(build) if build >= FIRST_OF_11 => "11",
        Some(_) => "10",
        None => version,
    }
}

/// As `platform.machine()` spells it on each system.
fn platform_machine(machine: &Machine) -> String {
    match (machine.os, &machine.arch) {
        (Os::Windows, Arch::X86_64) => "AMD64".to_owned(),
        (Os::Windows, Arch::Aarch64) => "ARM64".to_owned(),
        (Os::Macos, Arch::Aarch64) => "arm64".to_owned(),
        (_, arch) => arch.to_string(),
    }
}

/// As `platform.python_implementation()` spells it.
fn platform_python_implementation(name: &str) -> &str {
    match name {
        "cpython" => "CPython",
        "pypy" => "PyPy",
        "graalpy" => "GraalVM",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::PythonFacts;
    use crate::vocab::Requirement;

    fn applies(os: Os, arch: Arch, python: &str, marker: &str) -> bool {
        let facts = PythonFacts {
            version: python.parse().unwrap(),
            implementation: "cpython".to_owned(),
            abi: None,
            free_threaded: false,
            bits: 64,
        };
        let machine = Machine { python: Some(facts), ..Machine::bare(os, arch) };
        let requirement: Requirement = format!("x; {marker}").parse().unwrap();
        requirement.evaluate_markers(&markers_of(&machine).unwrap(), &[])
    }

    #[test]
    fn the_markers_that_torch_uses() {
        let torch = r#"platform_system == "Linux" and platform_machine == "x86_64""#;
        assert!(applies(Os::Linux, Arch::X86_64, "3.12", torch));
        assert!(!applies(Os::Windows, Arch::X86_64, "3.12", torch));
        assert!(applies(
            Os::Windows,
            Arch::X86_64,
            "3.12",
            r#"sys_platform == "win32" and platform_machine == "AMD64""#
        ));
        assert!(applies(Os::Macos, Arch::Aarch64, "3.12", r#"platform_machine == "arm64" and os_name == "posix""#));
        assert!(applies(
            Os::Linux,
            Arch::X86_64,
            "3.13.1",
            r#"python_version >= "3.13" and python_full_version != "3.13.0""#
        ));
        assert!(applies(Os::Linux, Arch::X86_64, "3.9", r#"platform_python_implementation == "CPython""#));
    }

    #[test]
    fn windows_is_called_by_its_name() {
        let release = |os, version: &str| {
            let machine = Machine { os_version: Some(version.to_owned()), ..Machine::bare(os, Arch::X86_64) };
            platform_release(&machine).to_owned()
        };
        assert_eq!(release(Os::Windows, "10.0.22631"), "11");
        assert_eq!(release(Os::Windows, "10.0.19045"), "10");
        assert_eq!(release(Os::Windows, "6.3.9600"), "6.3.9600");
        assert_eq!(release(Os::Linux, "10.0.22631"), "10.0.22631");
    }

    #[test]
    fn without_a_python_there_are_none() {
        let error = markers_of(&Machine::bare(Os::Linux, Arch::X86_64)).unwrap_err();
        assert!(matches!(error, FactsError::Missing { key: "python" }));
    }
}
