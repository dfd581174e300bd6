//! Stand-ins for NVIDIA's libraries, compiled on the spot, and system trees for them to lie in.

use std::path::Path;
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

/// A `libnvidia-ml.so.1` in `folder` with these cards.
pub fn nvml(folder: &Path, driver: &str, cuda: i32, cards: &[StubCard]) {
    compile(
        folder,
        "libnvidia-ml.so.1",
        &(table(cards)
            + &format!(
                r#"
static const char *driver = "{driver}";
int nvmlInit_v2(void) {{ return 0; }}
int nvmlShutdown(void) {{ return 0; }}
static int text(char *to, unsigned length, const char *from) {{
    if (strlen(from) >= length) return 7;
    strcpy(to, from);
    return 0;
}}
int nvmlSystemGetDriverVersion(char *to, unsigned length) {{ return text(to, length, driver); }}
int nvmlSystemGetCudaDriverVersion_v2(int *version) {{ *version = {cuda}; return {cuda} ? 0 : 12; }}
int nvmlDeviceGetCount_v2(unsigned *to) {{ *to = count; return 0; }}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, const void **to) {{
    if (index >= count) return 2;
    *to = &cards[index];
    return 0;
}}
int nvmlDeviceGetName(const struct card *card, char *to, unsigned length) {{ return text(to, length, card->name); }}
int nvmlDeviceGetUUID(const void *device, char *to, unsigned length) {{
    for (unsigned i = 0; i < count; i++)
        if (device == &cards[i]) return text(to, length, cards[i].uuid);
    return text(to, length, *(const char *const *)device);
}}
int nvmlDeviceGetCudaComputeCapability(const struct card *card, int *major, int *minor) {{
    *major = card->major;
    *minor = card->minor;
    return 0;
}}
struct memory {{ unsigned long long total, free, used; }};
int nvmlDeviceGetMemoryInfo(const struct card *card, struct memory *to) {{ to->total = card->memory << 20; return 0; }}
struct pci {{ char legacy[16]; unsigned domain, bus, device, id, subsystem; char address[32]; }};
int nvmlDeviceGetPciInfo_v3(const struct card *card, struct pci *to) {{ to->id = card->pci; return 0; }}
int nvmlDeviceGetMigMode(const struct card *card, unsigned *current, unsigned *pending) {{
    *current = *pending = card->parts[0] != 0;
    return 0;
}}
int nvmlDeviceGetMaxMigDeviceCount(const struct card *card, unsigned *to) {{ *to = 7; return 0; }}
int nvmlDeviceGetMigDeviceHandleByIndex(struct card *card, unsigned index, const void **to) {{
    if (index >= 7 || !card->parts[index]) return 6;
    *to = &card->parts[index];
    return 0;
}}
"#
            )),
    );
}

/// A `libcuda.so.1` in `folder` with these cards.
pub fn cuda(folder: &Path, version: i32, cards: &[StubCard]) {
    compile(
        folder,
        "libcuda.so.1",
        &(table(cards)
            + &format!(
                r"
int cuInit(unsigned flags) {{ return flags ? 1 : count ? 0 : 100; }}
int cuDriverGetVersion(int *to) {{ *to = {version}; return 0; }}
int cuDeviceGetCount(int *to) {{ *to = count; return 0; }}
int cuDeviceGet(int *to, int ordinal) {{ *to = ordinal; return ordinal < count ? 0 : 101; }}
int cuDeviceGetName(char *to, int length, int device) {{ strncpy(to, cards[device].name, length); return 0; }}
int cuDeviceTotalMem_v2(size_t *to, int device) {{ *to = cards[device].memory << 20; return 0; }}
int cuDeviceGetAttribute(int *to, int attribute, int device) {{
    switch (attribute) {{
    case 75: *to = cards[device].major; return 0;
    case 76: *to = cards[device].minor; return 0;
    case 33: *to = device + 1; return 0;
    case 34: case 50: *to = 0; return 0;
    default: return 1;
    }}
}}
"
            )),
    );
}

/// Compiles a library out of C.
pub fn compile(folder: &Path, name: &str, source: &str) {
    fs_err::create_dir_all(folder).unwrap();
    let file = folder.join(name).with_extension("c");
    fs_err::write(&file, source).unwrap();
    let output =
        Command::new("cc").args(["-shared", "-fPIC", "-w", "-o"]).arg(folder.join(name)).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn table(cards: &[StubCard]) -> String {
    let rows: Vec<String> = cards
        .iter()
        .map(|card| {
            let parts: Vec<String> = card.parts.iter().map(|part| format!("\"{part}\",")).collect();
            let parts = parts.concat();
            let pci = u32::from(card.pci_device) << 16 | 0x10de;
            format!(
                "{{\"{}\", {}, {}, {}ULL, {pci}u, \"{}\", {{{parts} 0}}}},\n",
                card.name, card.capability.0, card.capability.1, card.memory_mib, card.uuid
            )
        })
        .collect();
    let rows = rows.concat();
    format!(
        "#include <string.h>\n#include <stddef.h>\n\
         struct card {{ const char *name; int major, minor; unsigned long long memory; unsigned pci; const char *uuid; \
         const char *parts[8]; }};\n\
         static struct card cards[] = {{\n{rows}{{0}}}};\nenum {{ count = {} }};\n",
        cards.len()
    )
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
    pub fn libraries(&self) -> std::path::PathBuf {
        self.root().join("usr/lib64")
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
