//! Windows' own folders.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::registry::Registry;
use crate::host::Host;
use crate::machine::platform::is_real;

/// More than any `DriverStore` holds.
const MAX_PACKAGES: usize = 65_536;
/// As many as are worth a try.
const MAX_STORES: usize = 16;

/// `C:\Windows\System32`, where libraries and programs lie that only an administrator can change.
///
/// The registry knows it; `SystemRoot`, which anyone can set for a process, is the second choice.
pub fn system_folder(host: &Host, registry: &dyn Registry) -> Option<PathBuf> {
    if !is_real(host) {
        return Some(host.system_path("/Windows").join("System32"));
    }
    let root = registry.text(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "SystemRoot");
    let root = root.map(PathBuf::from).or_else(|| host.variable("SystemRoot").map(PathBuf::from));
    root.filter(|root| root.is_absolute()).map(|root| root.join("System32"))
}

/// `C:\Program Files`.
pub fn program_files(host: &Host, registry: &dyn Registry) -> Option<PathBuf> {
    if !is_real(host) {
        return Some(host.system_path("/Program Files"));
    }
    let folder = registry.text(r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion", "ProgramFilesDir");
    let folder = folder.map(PathBuf::from).or_else(|| host.variable("ProgramFiles").map(PathBuf::from));
    folder.filter(|folder| folder.is_absolute())
}

/// NVIDIA's driver packages in the `DriverStore`, the newest first: old ones stay there until they are cleaned up.
pub fn driver_stores(system_folder: &Path) -> Vec<PathBuf> {
    let repository = system_folder.join("DriverStore").join("FileRepository");
    let Ok(packages) = fs_err::read_dir(repository) else { return Vec::new() };
    let mut stores: Vec<(SystemTime, PathBuf)> = packages
        .take(MAX_PACKAGES)
        .filter_map(Result::ok)
        .filter(|package| package.file_name().to_string_lossy().to_ascii_lowercase().starts_with("nv"))
        .filter_map(|package| Some((package.metadata().ok()?.modified().ok()?, package.path())))
        .collect();
    stores.sort_by(|one, other| other.cmp(one));
    stores.into_iter().map(|(_, path)| path).take(MAX_STORES).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::machine::windows::registry::MadeUpRegistry;

    #[test]
    fn the_registry_outranks_the_variables_and_a_relative_path_is_none() {
        let root = Path::new("/");
        // What is absolute here stands for `C:\Windows`.
        let (planted, real) = if cfg!(windows) { (r"C:\planted", r"C:\Windows") } else { ("/planted", "/Windows") };
        let host = Host::with(root, root, &[("SystemRoot", planted), ("ProgramFiles", "relative")]);
        let mut registry = MadeUpRegistry::default();
        assert_eq!(system_folder(&host, &registry).unwrap(), Path::new(planted).join("System32"));
        assert_eq!(program_files(&host, &registry), None);
        registry.add_text(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "SystemRoot", real);
        assert_eq!(system_folder(&host, &registry).unwrap(), Path::new(real).join("System32"));
    }

    #[test]
    fn the_newest_driver_package_comes_first() {
        let root = tempfile::tempdir().unwrap();
        let repository = root.path().join("DriverStore/FileRepository");
        for name in ["iigd_dch.inf_amd64_c", "nv_dispi.inf_amd64_b", "nv_dispi.inf_amd64_a"] {
            fs_err::create_dir_all(repository.join(name)).unwrap();
            // Longer than any file system's clock ticks; Windows does not open a folder to set its time.
            std::thread::sleep(Duration::from_millis(50));
        }
        let names: Vec<_> =
            driver_stores(root.path()).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["nv_dispi.inf_amd64_a", "nv_dispi.inf_amd64_b"]);
        assert!(driver_stores(Path::new("/nowhere")).is_empty());
    }
}
