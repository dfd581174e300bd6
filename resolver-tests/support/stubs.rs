//! Stand-ins for NVIDIA's libraries, and system trees for them to lie in.

use std::path::{Path, PathBuf};
use std::process::Command;

use torchfix::host::Host;

/// A card as the stubs report it.
#[derive(Clone)]
pub struct StubCard {
    pub name: &'static str,
    pub capability: (i32, i32),
    pub memory_mib: u64,
    pub pci_device: u16,
    pub uuid: &'static str,
    /// The UUIDs of its MIG devices; none when it is not split.
    pub parts: &'static [&'static str],
}

impl StubCard {
    pub const GTX_1080_TI: Self = Self {
        name: "NVIDIA GeForce GTX 1080 Ti",
        capability: (6, 1),
        memory_mib: 11264,
        pci_device: 0x1b06,
        uuid: "GPU-1080aaaa",
        parts: &[],
    };
    pub const RTX_4090: Self = Self {
        name: "NVIDIA GeForce RTX 4090",
        capability: (8, 9),
        memory_mib: 24564,
        pci_device: 0x2684,
        uuid: "GPU-4090bbbb",
        parts: &[],
    };
    pub const A100_SPLIT: Self = Self {
        name: "NVIDIA A100-SXM4-40GB",
        capability: (8, 0),
        memory_mib: 40960,
        pci_device: 0x20b0,
        uuid: "GPU-a100cccc",
        parts: &["MIG-11111111", "MIG-22222222"],
    };
}

/// Whether libraries can be compiled; says so aloud when a test is skipped for that.
pub fn can_compile(test: &str) -> bool {
    let found = Command::new("cc").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        super::skipped(&format!("{test} needs a C compiler (`cc`)"));
    }
    found
}

/// Whether there are stubs: compiled on the spot, for Windows beforehand by `scripts/support/build-windows-stubs`, whose
/// folder `WINDOWS_STUBS` names. Says so aloud when a test is skipped for want of them.
pub fn has_stubs(test: &str) -> bool {
    if cfg!(all(target_os = "linux", target_feature = "crt-static")) {
        super::skipped(&format!("{test} needs a torchfix that is not linked statically"));
        return false;
    }
    if cfg!(not(windows)) {
        return can_compile(test);
    }
    let found = built_stubs().is_some();
    if !found {
        super::skipped(&format!(
            "{test} needs WINDOWS_STUBS, the folder that scripts/support/build-windows-stubs fills"
        ));
    }
    found
}

#[allow(clippy::disallowed_methods, reason = "a setting of the tests")]
fn built_stubs() -> Option<PathBuf> {
    std::env::var_os("WINDOWS_STUBS").map(PathBuf::from).filter(|folder| folder.is_dir())
}

/// NVML in `folder` with these cards.
pub fn nvml(folder: &Path, driver: &str, cuda: i32, cards: &[StubCard]) {
    let file = folder.join(if cfg!(windows) { "nvml.dll" } else { "libnvidia-ml.so.1" });
    stub("nvml", &file);
    write_cards(&file, driver, cuda, cards);
}

/// The CUDA driver library in `folder` with these cards.
pub fn cuda(folder: &Path, version: i32, cards: &[StubCard]) {
    let file = folder.join(if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" });
    stub("cuda", &file);
    write_cards(&file, "", version, cards);
}

/// The stub called `name`, as `file`.
fn stub(name: &str, file: &Path) {
    fs_err::create_dir_all(file.parent().unwrap()).unwrap();
    if cfg!(windows) {
        let name = if name == "cuda" { "nvcuda.dll" } else { "nvml.dll" };
        fs_err::copy(built_stubs().unwrap().join(name), file).unwrap();
        return;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("resolver-tests/support/stubs").join(name);
    build(&source.with_extension("c"), file);
}

/// What `cards.h` reads.
fn write_cards(library: &Path, driver: &str, cuda: i32, cards: &[StubCard]) {
    let row = |card: &StubCard| {
        let (major, minor) = card.capability;
        let parts = card.parts.join(",");
        format!(
            "card {}|{major}|{minor}|{}|{:04x}|{}|{parts}\n",
            card.name, card.memory_mib, card.pci_device, card.uuid
        )
    };
    let rows: Vec<String> = cards.iter().map(row).collect();
    let text = format!("driver {driver}\ncuda {cuda}\n{}", rows.concat());
    let mut name = library.file_name().unwrap().to_owned();
    name.push(".cards");
    fs_err::write(library.with_file_name(name), text).unwrap();
}

/// Compiles a library out of C.
pub fn compile(folder: &Path, name: &str, source: &str) {
    fs_err::create_dir_all(folder).unwrap();
    let file = folder.join(name).with_extension("c");
    fs_err::write(&file, source).unwrap();
    build(&file, &folder.join(name));
}

fn build(source: &Path, library: &Path) {
    let output = Command::new("cc").args(["-shared", "-fPIC", "-w", "-o"]).arg(library).arg(source).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A made-up system: files under a root of their own.
pub struct System {
    root: tempfile::TempDir,
}

impl System {
    /// One with no files at all.
    pub fn empty() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    /// The folder that stands for `/`.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Where the stubs lie.
    pub fn libraries(&self) -> PathBuf {
        self.root().join(if cfg!(windows) { "Windows/System32" } else { "usr/lib64" })
    }

    /// Adds a file.
    pub fn file(&self, path: &str, text: &str) -> &Self {
        let path = self.root().join(path.trim_start_matches('/'));
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
        self
    }

    /// Adds a PCI device of a class: `0x030000` is a display card.
    pub fn pci(&self, address: &str, class: &str, id: &str, driver: Option<&str>) -> &Self {
        let (vendor, device) = id.split_once(':').unwrap();
        let folder = format!("/sys/bus/pci/devices/{address}");
        self.file(&format!("{folder}/class"), &format!("{class}\n"));
        self.file(&format!("{folder}/vendor"), &format!("0x{vendor}\n"));
        self.file(&format!("{folder}/device"), &format!("0x{device}\n"));
        #[cfg(not(unix))]
        let _ = driver;
        #[cfg(unix)]
        if let Some(driver) = driver {
            let link = self.root().join(folder.trim_start_matches('/')).join("driver");
            std::os::unix::fs::symlink(format!("../../../../bus/pci/drivers/{driver}"), link).unwrap();
        }
        self
    }

    /// Adds a program: a shell script.
    pub fn program(&self, path: &str, script: &str) -> &Self {
        self.file(path, &format!("#!/bin/sh\n{script}\n"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let path = self.root().join(path.trim_start_matches('/'));
            fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        self
    }

    /// The surroundings of a process in it.
    pub fn host(&self, variables: &[(&str, &str)]) -> Host {
        Host::with(self.root(), self.root(), variables)
    }
}
