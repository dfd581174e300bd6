//! The facts of Windows, out of the registry and System32.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::registry::Registry;
use super::{SystemLibrary, VcRuntime, WindowsFacts, WindowsSources};
use crate::machine::Source;
use crate::pe;

use crate::vocab::{Arch, FileVersion};

const SYSTEM: &str = r"HKLM\SYSTEM\CurrentControlSet\Control";
const WINDOWS: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";

/// `10.0.22631`: the registry has the true one, the API one that depends on what the program says it knows.
pub fn os_version(registry: &dyn Registry) -> Option<String> {
    let number = |name: &str| registry.number(WINDOWS, name);
    let build = build(registry)?;
    let version = match (number("CurrentMajorVersionNumber"), number("CurrentMinorVersionNumber")) {
        (Some(major), Some(minor)) => format!("{major}.{minor}"),
        // Before Windows 10.
        _ => registry.text(WINDOWS, "CurrentVersion")?,
    };
    Some(format!("{version}.{build}"))
}

fn build(registry: &dyn Registry) -> Option<u32> {
    let text = registry.text(WINDOWS, "CurrentBuildNumber").or_else(|| registry.text(WINDOWS, "CurrentBuild"));
    text?.parse().ok()
}

/// The processor Windows is made for: what a program's own variables say is that of the program, which may be emulated.
pub fn arch(registry: &dyn Registry) -> Option<Arch> {
    let name = registry.text(&format!(r"{SYSTEM}\Session Manager\Environment"), "PROCESSOR_ARCHITECTURE")?;
    Some(Arch::from(name.as_str()))
}

/// The facts, as far as registry and System32 tell them; of the latter, what there is of these `libraries`.
pub fn facts(registry: &dyn Registry, system_folder: Option<&Path>, arch: &Arch, libraries: &[String]) -> WindowsFacts {
    let build = build(registry);
    let long_paths = long_paths(registry);
    let vc_runtime = vc_runtime(registry, arch);
    let system_libraries = system_folder.map(|folder| look_at(folder, libraries)).unwrap_or_default();
    let registry = |known: bool| known.then_some(Source::Registry);
    let sources = WindowsSources {
        build: registry(build.is_some()),
        long_paths: registry(long_paths.is_some()),
        vc_runtime: registry(vc_runtime.is_some()),
        system_libraries: (!system_libraries.is_empty()).then_some(Source::SystemFolder),
    };
    WindowsFacts { build, long_paths, vc_runtime, system_libraries, sources }
}

/// Off where the setting was never made.
fn long_paths(registry: &dyn Registry) -> Option<bool> {
    let path = format!(r"{SYSTEM}\FileSystem");
    registry.keys(&path)?;
    Some(registry.number(&path, "LongPathsEnabled") == Some(1))
}

/// <https://learn.microsoft.com/en-us/cpp/windows/redistributing-visual-cpp-files>: the 64-bit runtime registers itself
/// in either view.
fn vc_runtime(registry: &dyn Registry, arch: &Arch) -> Option<VcRuntime> {
    registry.keys(r"HKLM\SOFTWARE")?;
    let arch = if *arch == Arch::Aarch64 { "arm64" } else { "x64" };
    let key = |view: &str| format!(r"HKLM\SOFTWARE\{view}Microsoft\VisualStudio\14.0\VC\Runtimes\{arch}");
    let installed = |path: &String| registry.number(path, "Installed") == Some(1);
    let Some(path) = [key(""), key(r"WOW6432Node\")].into_iter().find(installed) else {
        return Some(VcRuntime { installed: false, version: None });
    };
    let text = registry.text(&path, "Version");
    let version = text.and_then(|text| text.trim_start_matches('v').parse().ok());
    Some(VcRuntime { installed: true, version })
}

/// What the folder says of each library: what cannot be looked at stays unknown.
fn look_at(system_folder: &Path, libraries: &[String]) -> BTreeMap<String, SystemLibrary> {
    if !system_folder.is_dir() {
        return BTreeMap::new();
    }
    let library = |name: &str| {
        let path = system_folder.join(name);
        match fs_err::metadata(&path) {
            Ok(_) => Some(SystemLibrary { present: true, version: version_of(&path) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Some(SystemLibrary { present: false, version: None })
            }
            Err(_) => None,
        }
    };
    libraries.iter().filter_map(|name| Some((name.to_ascii_lowercase(), library(name)?))).collect()
}

/// That of a file that is damaged is as unknown as that of one without.
fn version_of(path: &Path) -> Option<FileVersion> {
    pe::file_version_of(path).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::windows::registry::MadeUpRegistry;

    fn windows_11() -> MadeUpRegistry {
        let mut registry = MadeUpRegistry::default();
        registry
            .add_number(WINDOWS, "CurrentMajorVersionNumber", 10)
            .add_number(WINDOWS, "CurrentMinorVersionNumber", 0)
            .add_text(WINDOWS, "CurrentVersion", "6.3")
            .add_text(WINDOWS, "CurrentBuildNumber", "22631")
            .add_key(&format!(r"{SYSTEM}\FileSystem"));
        registry
    }

    #[test]
    fn version_and_build() {
        assert_eq!(os_version(&windows_11()).as_deref(), Some("10.0.22631"));
        let mut windows_8 = MadeUpRegistry::default();
        windows_8.add_text(WINDOWS, "CurrentVersion", "6.3").add_text(WINDOWS, "CurrentBuildNumber", "9600");
        assert_eq!(os_version(&windows_8).as_deref(), Some("6.3.9600"));
        windows_8.add_text(WINDOWS, "CurrentBuildNumber", "new");
        assert_eq!(os_version(&windows_8), None);
        assert_eq!(os_version(&MadeUpRegistry::default()), None);
    }

    #[test]
    fn the_processor_is_windows_own() {
        let mut registry = MadeUpRegistry::default();
        assert_eq!(arch(&registry), None);
        registry.add_text(&format!(r"{SYSTEM}\Session Manager\Environment"), "PROCESSOR_ARCHITECTURE", "ARM64");
        assert_eq!(arch(&registry), Some(Arch::Aarch64));
    }

    #[test]
    fn long_paths_are_off_until_they_are_turned_on() {
        let mut registry = windows_11();
        let facts = |registry: &MadeUpRegistry| facts(registry, None, &Arch::X86_64, &[]);
        assert_eq!((facts(&registry).long_paths, facts(&registry).build), (Some(false), Some(22631)));
        registry.add_number(&format!(r"{SYSTEM}\FileSystem"), "LongPathsEnabled", 1);
        assert_eq!(facts(&registry).long_paths, Some(true));
        assert_eq!(facts(&registry).sources.long_paths, Some(Source::Registry));
        assert_eq!(facts(&MadeUpRegistry::default()), WindowsFacts::default(), "nothing can be read, nothing is known");
    }

    #[test]
    fn the_c_runtime_is_registered_in_either_view() {
        let runtime = |registry: &MadeUpRegistry, arch| facts(registry, None, &arch, &[]).vc_runtime;
        let mut registry = MadeUpRegistry::default();
        assert_eq!(runtime(&registry, Arch::X86_64), None);
        registry.add_key(r"HKLM\SOFTWARE\Microsoft");
        assert_eq!(runtime(&registry, Arch::X86_64), Some(VcRuntime { installed: false, version: None }));
        let path = r"HKLM\SOFTWARE\WOW6432Node\Microsoft\VisualStudio\14.0\VC\Runtimes\X64";
        registry.add_number(path, "Installed", 1).add_text(path, "Version", "v14.40.33810.00");
        let version = "14.40.33810.0".parse().ok();
        assert_eq!(runtime(&registry, Arch::X86_64), Some(VcRuntime { installed: true, version }));
        assert_eq!(runtime(&registry, Arch::Aarch64), Some(VcRuntime { installed: false, version: None }));
        registry.add_number(path, "Installed", 0);
        assert_eq!(runtime(&registry, Arch::X86_64), Some(VcRuntime { installed: false, version: None }));
    }

    #[test]
    fn a_library_is_there_or_not_or_nobody_knows() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("msvcp140.dll"), "damaged").unwrap();
        let libraries = ["msvcp140.dll", "LIBOMP140.x86_64.dll"].map(str::to_owned);
        let facts = |folder: &Path| facts(&MadeUpRegistry::default(), Some(folder), &Arch::X86_64, &libraries);
        let seen = facts(folder.path());
        let there = SystemLibrary { present: true, version: None };
        assert_eq!(seen.system_libraries.get("msvcp140.dll"), Some(&there));
        assert!(!seen.system_libraries["libomp140.x86_64.dll"].present);
        assert_eq!(seen.sources.system_libraries, Some(Source::SystemFolder));
        assert_eq!(seen.system_libraries.len(), 2);
        let gone = facts(&folder.path().join("gone"));
        assert_eq!(gone, WindowsFacts::default());
    }
}
