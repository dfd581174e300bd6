//! Where NVIDIA's libraries are looked for.

use std::path::{Path, PathBuf};

use crate::host::Host;
use crate::machine::platform::is_real;
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

/// NVML, most likely place first.
pub fn nvml(host: &Host, os: Os) -> Vec<PathBuf> {
    candidates(host, os, "libnvidia-ml.so.1", "nvml.dll")
}

/// The CUDA driver library, most likely place first.
pub fn cuda(host: &Host, os: Os) -> Vec<PathBuf> {
    candidates(host, os, "libcuda.so.1", "nvcuda.dll")
}

fn candidates(host: &Host, os: Os, linux: &str, windows: &str) -> Vec<PathBuf> {
    match os {
        Os::Linux => {
            // By its plain name first, as torch itself opens it; never while a laid-out tree stands for the system.
            let plain = is_real(host).then(|| PathBuf::from(linux));
            let folders = LINUX.iter().map(|folder| host.system_path(&format!("{folder}/{linux}")));
            plain.into_iter().chain(folders.filter(|file| file.exists())).collect()
        }
        // By full path: by plain name Windows would also take one planted in the working directory.
        Os::Windows => system32(host).map(|folder| folder.join(windows)).into_iter().collect(),
        Os::Macos => Vec::new(),
    }
}

/// Windows' own folder of libraries and programs.
pub fn system32(host: &Host) -> Option<PathBuf> {
    host.variable("SystemRoot").map(|root| Path::new(root).join("System32"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_laid_out_tree_hides_the_running_systems_libraries() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::with(root.path(), root.path(), &[("SystemRoot", r"C:\Windows")]);
        assert!(nvml(&host, Os::Linux).is_empty());
        let wsl = root.path().join("usr/lib/wsl/lib");
        fs_err::create_dir_all(&wsl).unwrap();
        fs_err::write(wsl.join("libcuda.so.1"), "").unwrap();
        assert_eq!(cuda(&host, Os::Linux), [wsl.join("libcuda.so.1")]);
        assert_eq!(cuda(&host, Os::Windows).len(), 1);
        let real = Host::with(Path::new("/"), root.path(), &[]);
        assert_eq!(nvml(&real, Os::Linux)[0], Path::new("libnvidia-ml.so.1"));
    }
}
