//! Operating system, processor and C library.

use std::io::Read as _;
use std::path::Path;

use super::windows::registry::Registry;
use super::{HardwareTable, Machine, native, windows};
use crate::host::Host;
use crate::vocab::{Arch, GlibcVersion, Os};

/// What the notes of a machine with musl say.
pub const MUSL_NOTE: &str = "the C library is musl, for which torch has no wheels";
/// Larger than any C library.
const MAX_LIBRARY: u64 = 16 << 20;
/// System files that are read whole are small.
const MAX_TEXT: u64 = 64 << 10;

/// System, processor and C library of the machine; driver, GPUs and Python are still unknown.
pub fn detect(host: &Host, registry: &dyn Registry, table: &dyn HardwareTable) -> Machine {
    let mut machine = Machine::bare(os(), arch(host, registry));
    match machine.os {
        Os::Linux => {
            machine.os_version = kernel_release(host);
            machine.wsl = is_wsl(host);
            machine.glibc = glibc(host, &machine.arch);
            if machine.glibc.is_none() && has_musl(host, &machine.arch) {
                machine.notes.push(MUSL_NOTE.to_owned());
            }
        }
        Os::Macos => machine.os_version = macos_version(host),
        Os::Windows => {
            let system_folder = windows::system_folder(host, registry);
            machine.os_version = windows::os_version(registry);
            let libraries = table.system_libraries();
            machine.windows = Some(windows::facts(registry, system_folder.as_deref(), &machine.arch, &libraries));
        }
    }
    machine
}

fn os() -> Os {
    if cfg!(windows) {
        Os::Windows
    } else if cfg!(target_os = "macos") {
        Os::Macos
    } else {
        Os::Linux
    }
}

/// That of the machine, which may be more than this program was built for.
fn arch(host: &Host, registry: &dyn Registry) -> Arch {
    windows::arch(registry).unwrap_or_else(|| arch_of_process(host))
}

#[cfg(unix)]
fn arch_of_process(_: &Host) -> Arch {
    Arch::from(rustix::system::uname().machine().to_string_lossy().as_ref())
}

#[cfg(not(unix))]
fn arch_of_process(host: &Host) -> Arch {
    let native = host.text_variable("PROCESSOR_ARCHITEW6432").or_else(|| host.text_variable("PROCESSOR_ARCHITECTURE"));
    Arch::from(native.unwrap_or(std::env::consts::ARCH))
}

fn kernel_release(host: &Host) -> Option<String> {
    let release = text(&host.system_path("/proc/sys/kernel/osrelease"))?;
    Some(release.trim().to_owned()).filter(|release| !release.is_empty())
}

/// In WSL the kernel is Microsoft's build; its release, or in WSL 1 only its version, says so.
fn is_wsl(host: &Host) -> bool {
    ["/proc/sys/kernel/osrelease", "/proc/version"]
        .iter()
        .filter_map(|path| text(&host.system_path(path)))
        .any(|text| text.to_ascii_lowercase().contains("microsoft"))
}

/// Asked of the running C library; of the system's file where this program is not linked with it.
fn glibc(host: &Host, arch: &Arch) -> Option<GlibcVersion> {
    let running = is_real(host).then(native::running_glibc).flatten().and_then(|version| version.parse().ok());
    running.or_else(|| glibc_in_files(host, arch))
}

fn glibc_in_files(host: &Host, arch: &Arch) -> Option<GlibcVersion> {
    let folders = [format!("/lib/{arch}-linux-gnu"), format!("/usr/lib/{arch}-linux-gnu")];
    let mut folders = folders.iter().map(String::as_str).chain(["/lib64", "/usr/lib64", "/lib", "/usr/lib"]);
    folders.find_map(|folder| glibc_of_file(&host.system_path(&format!("{folder}/libc.so.6"))))
}

/// From the banner in the library: `GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.`
fn glibc_of_file(path: &Path) -> Option<GlibcVersion> {
    const BANNER: &[u8] = b"release version ";
    let mut bytes = Vec::new();
    fs_err::File::open(path).ok()?.take(MAX_LIBRARY).read_to_end(&mut bytes).ok()?;
    let library = bytes.windows(13).position(|window| window == b"GNU C Library")?;
    let banner = bytes.get(library..bytes.len().min(library + 200))?;
    let start = banner.windows(BANNER.len()).position(|window| window == BANNER)? + BANNER.len();
    let version: Vec<u8> = banner[start..].iter().copied().take_while(|b| b.is_ascii_digit() || *b == b'.').collect();
    String::from_utf8(version).ok()?.trim_end_matches('.').parse().ok()
}

fn has_musl(host: &Host, arch: &Arch) -> bool {
    host.system_path(&format!("/lib/ld-musl-{arch}.so.1")).exists()
}

fn macos_version(host: &Host) -> Option<String> {
    let plist = text(&host.system_path("/System/Library/CoreServices/SystemVersion.plist"))?;
    let (_, rest) = plist.split_once("<key>ProductVersion</key>")?;
    let (_, rest) = rest.split_once("<string>")?;
    rest.split_once("</string>").map(|(version, _)| version.trim().to_owned())
}

/// Whether system files are the running system's, not a tree laid out elsewhere.
pub fn is_real(host: &Host) -> bool {
    host.system_path("/") == Path::new("/")
}

/// A small system file; `None` when it cannot be read.
pub fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    fs_err::File::open(path).ok()?.take(MAX_TEXT).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::machine::windows::registry::MadeUpRegistry;

    fn detected(host: &Host) -> Machine {
        detect(host, &MadeUpRegistry::default(), &())
    }

    fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let host = Host::with(root.path(), root.path(), &[]);
        (root, host)
    }

    #[test]
    fn a_linux_machine_from_its_files() {
        let banner = "\0\0GNU C Library (Ubuntu GLIBC 2.35-0ubuntu3.8) stable release version 2.35.\nCopyright";
        let (_root, host) =
            host(&[("proc/sys/kernel/osrelease", "5.15.167.4-microsoft-standard-WSL2\n"), ("lib64/libc.so.6", banner)]);
        let machine = detected(&host);
        assert_eq!(machine.os_version.as_deref(), Some("5.15.167.4-microsoft-standard-WSL2"));
        assert_eq!((machine.wsl, machine.glibc), (true, Some(GlibcVersion { major: 2, minor: 35 })));
    }

    #[test]
    fn nothing_there_is_nothing_known() {
        let (_root, host) = host(&[("lib64/libc.so.6", "not a library")]);
        let machine = detected(&host);
        assert_eq!((machine.os_version, machine.wsl, machine.glibc), (None, false, None));
        assert!(machine.notes.is_empty());
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn the_running_library_and_its_file_agree() {
        let host = Host::of_process().unwrap();
        let running = native::running_glibc().and_then(|version| version.parse().ok());
        assert!(running.is_some());
        assert_eq!(glibc_in_files(&host, &arch(&host, &MadeUpRegistry::default())), running);
    }
}
