//! Where NVIDIA's libraries and its program are looked for.

use std::iter;
use std::path::PathBuf;

use crate::host::Host;
use crate::machine::platform::is_real;
use crate::machine::windows;
use crate::machine::windows::registry::Registry;
use crate::vocab::Os;

/// Where they lie on Linux when the loader's own search does not find them: WSL, Debian and Ubuntu, Fedora, NixOS, and
/// what container platforms mount.
const LINUX: [&str; 8] = [
    "/usr/lib/wsl/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/run/opengl-driver/lib",
    "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib",
];
const LINUX_SMI: [&str; 4] = [
    "/usr/bin/nvidia-smi",
    "/usr/lib/wsl/lib/nvidia-smi",
    "/run/current-system/sw/bin/nvidia-smi",
    "/usr/local/nvidia/bin/nvidia-smi",
];

/// NVML, most likely place first.
pub fn nvml(host: &Host, registry: &dyn Registry, os: Os) -> Vec<PathBuf> {
    match os {
        Os::Linux => on_linux(host, "libnvidia-ml.so.1"),
        Os::Windows => {
            let in_system = on_windows(host, registry, "nvml.dll", &["nvml.dll"]);
            let old = old_tools(host, registry).map(|folder| folder.join("nvml.dll"));
            in_system.into_iter().chain(old.filter(|file| file.is_file())).collect()
        }
        Os::Macos => Vec::new(),
    }
}

/// The CUDA driver library, most likely place first.
pub fn cuda(host: &Host, registry: &dyn Registry, os: Os) -> Vec<PathBuf> {
    match os {
        Os::Linux => on_linux(host, "libcuda.so.1"),
        Os::Windows => on_windows(host, registry, "nvcuda.dll", &["nvcuda64.dll", "nvcuda.dll"]),
        Os::Macos => Vec::new(),
    }
}

/// `nvidia-smi`, most likely place first; never looked for on PATH, where anything may lie.
pub fn smi(host: &Host, registry: &dyn Registry, os: Os) -> Vec<PathBuf> {
    match os {
        Os::Linux => LINUX_SMI.iter().map(|path| host.system_path(path)).collect(),
        Os::Windows => {
            let in_system = on_windows(host, registry, "nvidia-smi.exe", &["nvidia-smi.exe"]);
            in_system.into_iter().chain(old_tools(host, registry).map(|folder| folder.join("nvidia-smi.exe"))).collect()
        }
        Os::Macos => Vec::new(),
    }
}

fn on_linux(host: &Host, name: &str) -> Vec<PathBuf> {
    // By its plain name first, as torch itself opens it; never while a laid-out tree stands for the system.
    let plain = is_real(host).then(|| PathBuf::from(name));
    let folders = LINUX.iter().map(|folder| host.system_path(&format!("{folder}/{name}")));
    plain.into_iter().chain(folders.filter(|file| file.exists())).collect()
}

/// In System32, else in the driver's package, where it may have another name. By full path only: by plain name Windows
/// would also take one planted in the working directory.
fn on_windows(host: &Host, registry: &dyn Registry, name: &str, in_store: &[&str]) -> Vec<PathBuf> {
    let Some(system) = windows::system_folder(host, registry) else { return Vec::new() };
    let own = system.join(name);
    let packages = windows::driver_stores(&system).into_iter();
    let stored = packages.flat_map(|store| in_store.iter().map(move |name| store.join(name)));
    iter::once(own).chain(stored).filter(|file| file.is_file()).collect()
}

/// Where drivers before 2019 put NVML and `nvidia-smi`.
fn old_tools(host: &Host, registry: &dyn Registry) -> Option<PathBuf> {
    windows::program_files(host, registry).map(|folder| folder.join("NVIDIA Corporation").join("NVSMI"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::machine::windows::registry::MadeUpRegistry;

    fn tree(files: &[&str]) -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
        let host = Host::with(root.path(), root.path(), &[("SystemRoot", r"C:\Windows"), ("PATH", "/planted")]);
        (root, host)
    }

    fn within(root: &Path, found: &[PathBuf]) -> Vec<String> {
        let name = |path: &PathBuf| path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        found.iter().map(name).collect()
    }

    #[test]
    fn a_laid_out_tree_hides_the_running_systems_libraries() {
        let none = MadeUpRegistry::default();
        let (root, host) = tree(&["usr/lib/wsl/lib/libcuda.so.1"]);
        assert!(nvml(&host, &none, Os::Linux).is_empty());
        assert_eq!(within(root.path(), &cuda(&host, &none, Os::Linux)), ["usr/lib/wsl/lib/libcuda.so.1"]);
        assert!(cuda(&host, &none, Os::Windows).is_empty());
        let real = Host::with(Path::new("/"), root.path(), &[]);
        assert_eq!(nvml(&real, &none, Os::Linux)[0], Path::new("libnvidia-ml.so.1"));
    }

    #[test]
    fn on_windows_system32_comes_before_the_drivers_package_and_the_old_folder() {
        let none = MadeUpRegistry::default();
        let store = "Windows/System32/DriverStore/FileRepository/nv_dispi.inf_amd64_1";
        let stored = |name: &str| format!("{store}/{name}");
        let old = |name: &str| format!("Program Files/NVIDIA Corporation/NVSMI/{name}");
        let system = |name: &str| format!("Windows/System32/{name}");
        let files = [
            stored("nvml.dll"),
            stored("nvcuda64.dll"),
            stored("nvidia-smi.exe"),
            old("nvml.dll"),
            system("nvcuda.dll"),
            "Windows/System32/DriverStore/FileRepository/other.inf_amd64_1/nvml.dll".to_owned(),
            "nvml.dll".to_owned(),
        ];
        let (root, host) = tree(&files.each_ref().map(String::as_str));
        assert_eq!(within(root.path(), &nvml(&host, &none, Os::Windows)), [stored("nvml.dll"), old("nvml.dll")]);
        assert_eq!(
            within(root.path(), &cuda(&host, &none, Os::Windows)),
            [system("nvcuda.dll"), stored("nvcuda64.dll")]
        );
        assert_eq!(within(root.path(), &smi(&host, &none, Os::Windows))[0], stored("nvidia-smi.exe"));
    }
}
