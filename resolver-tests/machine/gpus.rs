//! Drivers and cards.

use torchfix::machine::{DetectOptions, GpuModel, HardwareTable, Machine, Source, detect};
use torchfix::vocab::{CudaVersion, DriverVersion, Os};

use crate::support::stubs::{StubCard, System, cuda, has_stubs, nvml};
#[cfg(target_os = "linux")]
use crate::support::stubs::{can_compile, compile};

/// What the manifests would know.
struct Table;

impl HardwareTable for Table {
    fn gpu_by_pci_id(&self, pci_id: &str) -> Option<GpuModel> {
        let (name, capability) = match pci_id {
            "10de:1b06" => ("GeForce GTX 1080 Ti", "6.1"),
            "10de:2684" => ("GeForce RTX 4090", "8.9"),
            _ => return None,
        };
        Some(GpuModel { name: name.to_owned(), compute_capability: capability.parse().unwrap() })
    }

    fn gpu_by_name(&self, name: &str) -> Option<GpuModel> {
        name.contains("1080 Ti").then(|| self.gpu_by_pci_id("10de:1b06")).flatten()
    }

    fn cuda_of_driver(&self, driver: &DriverVersion, os: Os) -> Option<CudaVersion> {
        // Told apart so that a test sees which system was asked about.
        (driver.branch() >= 500).then_some(CudaVersion { major: 12, minor: if os == Os::Windows { 9 } else { 4 } })
    }
}

fn seen(system: &System, variables: &[(&str, &str)]) -> Machine {
    detect(&system.host(variables), &Table, &DetectOptions::default())
}

fn capabilities(machine: &Machine) -> Vec<String> {
    let gpus = machine.gpus.as_ref().expect("the cards are known");
    gpus.iter().map(|gpu| gpu.compute_capability.map_or("?".to_owned(), |capability| capability.to_string())).collect()
}

fn driver(machine: &Machine) -> Option<(String, String)> {
    let driver = machine.driver.as_ref()?;
    let shown = |value: Option<String>| value.unwrap_or_else(|| "?".to_owned());
    Some((shown(driver.version.as_ref().map(ToString::to_string)), shown(driver.cuda.map(|cuda| cuda.to_string()))))
}

/// Optional, as what it is compared with is.
#[allow(clippy::unnecessary_wraps)]
fn pair(version: &str, cuda: &str) -> Option<(String, String)> {
    Some((version.to_owned(), cuda.to_owned()))
}

fn has_note(machine: &Machine, part: &str) -> bool {
    machine.notes.iter().any(|note| note.contains(part))
}

#[cfg(target_os = "linux")]
const PROC: &str = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build\n";

#[test]
fn nvml_makes_cards_appear() {
    if !has_stubs("nvml_makes_cards_appear") {
        return;
    }
    let system = System::empty();
    nvml(&system.libraries(), "570.124.06", 12080, &[StubCard::GTX_1080_TI, StubCard::RTX_4090]);
    let machine = seen(&system, &[]);
    assert_eq!(driver(&machine), pair("570.124.06", "12.8"));
    assert_eq!(capabilities(&machine), ["6.1", "8.9"]);
    assert_eq!((machine.sources.driver, machine.sources.gpus), (Some(Source::Nvml), Some(Source::Nvml)));
    let gpu = &machine.gpus.unwrap()[0];
    assert_eq!((gpu.index, gpu.memory_mib, gpu.pci_id.as_deref()), (0, Some(11264), Some("10de:1b06")));
    assert_eq!(gpu.name.as_deref(), Some("NVIDIA GeForce GTX 1080 Ti"));
}

#[test]
#[cfg(target_os = "linux")]
fn nvml_without_its_cuda_number_leaves_that_to_the_manifests() {
    if !has_stubs("nvml_without_its_cuda_number") {
        return;
    }
    let system = System::empty();
    nvml(&system.libraries(), "550.54.14", 0, &[StubCard::RTX_4090]);
    assert_eq!(driver(&seen(&system, &[])), pair("550.54.14", "12.4"));
    system.file("/proc/sys/kernel/osrelease", "5.15.167.4-microsoft-standard-WSL2");
    let machine = seen(&system, &[]);
    assert_eq!((driver(&machine), machine.wsl), (pair("550.54.14", "12.9"), true), "WSL has the driver of Windows");
}

#[test]
fn hidden_cards_go_to_the_notes() {
    if !has_stubs("hidden_cards_go_to_the_notes") {
        return;
    }
    let system = System::empty();
    nvml(&system.libraries(), "570.124.06", 12080, &[StubCard::GTX_1080_TI, StubCard::RTX_4090]);
    let bus_order = ("CUDA_DEVICE_ORDER", "PCI_BUS_ID");
    let machine = seen(&system, &[("CUDA_VISIBLE_DEVICES", "1"), bus_order]);
    assert_eq!(capabilities(&machine), ["8.9"]);
    assert!(has_note(&machine, "GPU 0 (NVIDIA GeForce GTX 1080 Ti) is hidden by CUDA_VISIBLE_DEVICES"));
    assert_eq!(machine.gpus.unwrap()[0].index, 1);

    for (variables, left) in [
        (vec![("CUDA_VISIBLE_DEVICES", "")], vec![]),
        (vec![("CUDA_VISIBLE_DEVICES", "-1")], vec![]),
        (vec![("CUDA_VISIBLE_DEVICES", "GPU-4090")], vec!["8.9"]),
        (vec![("NVIDIA_VISIBLE_DEVICES", "none")], vec![]),
        (vec![("NVIDIA_VISIBLE_DEVICES", "all")], vec!["6.1", "8.9"]),
        (vec![("NVIDIA_VISIBLE_DEVICES", "1")], vec!["8.9"]),
        (vec![("NVIDIA_VISIBLE_DEVICES", "4,7")], vec!["6.1", "8.9"]),
    ] {
        let machine = seen(&system, &variables);
        assert_eq!(capabilities(&machine), left, "{variables:?}");
        assert!(machine.driver.is_some());
    }

    let options = DetectOptions { visible: "0".parse().ok() };
    let machine = detect(&system.host(&[("CUDA_VISIBLE_DEVICES", "1")]), &Table, &options);
    assert_eq!(capabilities(&machine), ["6.1"], "--visible wins");
}

#[test]
fn numbers_of_unlike_cards_are_cudas_to_interpret() {
    if !has_stubs("numbers_of_unlike_cards_are_cudas_to_interpret") {
        return;
    }
    let system = System::empty();
    nvml(&system.libraries(), "570.124.06", 12080, &[StubCard::GTX_1080_TI, StubCard::RTX_4090]);
    // The fastest first, and already filtered: what `CUDA_VISIBLE_DEVICES=0` leaves of these two.
    cuda(&system.libraries(), 12080, &[StubCard::RTX_4090]);
    let machine = seen(&system, &[("CUDA_VISIBLE_DEVICES", "0")]);
    assert_eq!(capabilities(&machine), ["8.9"]);
    assert_eq!((machine.sources.driver, machine.sources.gpus), (Some(Source::Nvml), Some(Source::DriverLibrary)));
}

#[test]
fn parts_of_a_card_have_its_capability() {
    if !has_stubs("parts_of_a_card_have_its_capability") {
        return;
    }
    let system = System::empty();
    nvml(&system.libraries(), "570.124.06", 12080, &[StubCard::A100_SPLIT, StubCard::RTX_4090]);
    let machine = seen(&system, &[("CUDA_VISIBLE_DEVICES", "MIG-2222")]);
    assert_eq!(capabilities(&machine), ["8.0"]);
    assert!(has_note(&machine, "split into MIG devices"));
}

#[test]
#[cfg(target_os = "linux")]
fn libcuda_serves_where_nvml_is_missing() {
    if !has_stubs("libcuda_serves_where_nvml_is_missing") {
        return;
    }
    let system = System::empty();
    system.pci("0000:01:00.0", "0x030000", "10de:2684", Some("nvidia"));
    cuda(&system.libraries(), 12040, &[StubCard::RTX_4090]);
    let machine = seen(&system, &[]);
    assert_eq!(driver(&machine), pair("?", "12.4"));
    assert_eq!(
        (machine.sources.driver, machine.sources.gpus),
        (Some(Source::DriverLibrary), Some(Source::DriverLibrary))
    );
    let gpu = &machine.gpus.as_ref().unwrap()[0];
    assert_eq!((gpu.memory_mib, gpu.pci_id.as_deref()), (Some(24564), Some("10de:2684")));
    system.file("/proc/driver/nvidia/version", PROC);
    assert_eq!(driver(&seen(&system, &[])), pair("570.124.06", "12.4"));
}

#[test]
fn a_library_without_a_driver_proves_nothing() {
    if !has_stubs("a_library_without_a_driver_proves_nothing") {
        return;
    }
    let system = System::empty();
    cuda(&system.libraries(), 12040, &[]);
    let machine = seen(&system, &[]);
    assert_eq!((machine.driver, machine.gpus), (None, Some(Vec::new())));
}

#[test]
#[cfg(target_os = "linux")]
fn libraries_that_lie_are_survived() {
    if !can_compile("libraries_that_lie_are_survived") {
        return;
    }
    let base = "int nvmlInit_v2(void) { return 0; }\nint nvmlShutdown(void) { return 0; }\n";
    let fill = "static int fill(char *to, unsigned n) { for (unsigned i = 0; i < n; i++) to[i] = (char)(0x80 + i); return 0; }\n";

    let system = System::empty();
    compile(
        &system.libraries(),
        "libnvidia-ml.so.1",
        &format!(
            "{base}{fill}
            int nvmlSystemGetDriverVersion(char *to, unsigned n) {{ return fill(to, n); }}
            int nvmlSystemGetCudaDriverVersion_v2(int *to) {{ *to = -2147483647; return 0; }}
            int nvmlDeviceGetCount_v2(unsigned *to) {{ *to = 4000000000u; return 0; }}"
        ),
    );
    let machine = seen(&system, &[]);
    assert_eq!((&machine.driver, &machine.gpus), (&None, &Some(Vec::new())));
    assert!(has_note(&machine, "4000000000 GPUs, which is not believed"), "{:?}", machine.notes);

    let system = System::empty();
    compile(
        &system.libraries(),
        "libnvidia-ml.so.1",
        &format!(
            "{base}{fill}
            int nvmlSystemGetDriverVersion(char *to, unsigned n) {{ to[0] = '5'; to[1] = 0; return 0; }}
            int nvmlDeviceGetCount_v2(unsigned *to) {{ *to = 2; return 0; }}
            int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **to) {{ *to = 0; return i ? 15 : 0; }}
            int nvmlDeviceGetName(void *d, char *to, unsigned n) {{ return fill(to, n); }}
            int nvmlDeviceGetUUID(void *d, char *to, unsigned n) {{ return 999; }}
            int nvmlDeviceGetCudaComputeCapability(void *d, int *a, int *b) {{ *a = 8; *b = -6; return 0; }}
            int nvmlDeviceGetMemoryInfo(void *d, unsigned long long *m) {{ m[0] = ~0ULL; return 0; }}
            int nvmlDeviceGetMigMode(void *d, unsigned *a, unsigned *b) {{ *a = 1; return 0; }}
            int nvmlDeviceGetMaxMigDeviceCount(void *d, unsigned *to) {{ *to = 4000000000u; return 0; }}
            int nvmlDeviceGetMigDeviceHandleByIndex(void *d, unsigned i, void **to) {{ *to = 0; return 0; }}"
        ),
    );
    let machine = seen(&system, &[]);
    let gpu = &machine.gpus.as_ref().unwrap()[0];
    assert_eq!((gpu.compute_capability, gpu.memory_mib, &gpu.pci_id), (None, None, &None));
    assert!(has_note(&machine, "GPU 1 does not answer: GPU is lost"), "{:?}", machine.notes);

    let system = System::empty();
    system.file("/usr/lib64/libnvidia-ml.so.1", "not a library").file("/usr/lib64/libcuda.so.1", "\x7fELF");
    assert_eq!(seen(&system, &[]).gpus, Some(Vec::new()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_library_that_is_not_the_drivers_says_so() {
    if !can_compile("a_library_that_is_not_the_drivers_says_so") {
        return;
    }
    let system = System::empty();
    system.pci("0000:01:00.0", "0x030000", "10de:1b06", Some("nvidia"));
    system.file("/proc/driver/nvidia/version", PROC);
    compile(&system.libraries(), "libnvidia-ml.so.1", "int nvmlInit_v2(void) { return 18; }");
    compile(&system.libraries(), "libcuda.so.1", "int cuInit(unsigned f) { return 803; }");
    let machine = seen(&system, &[]);
    assert!(has_note(&machine, "reboot"), "{:?}", machine.notes);
    assert_eq!(driver(&machine), pair("570.124.06", "12.4"));
    assert_eq!(machine.sources.gpus, Some(Source::Pci));
}

#[test]
#[cfg(target_os = "linux")]
fn the_kernels_files_serve_where_no_library_does() {
    let system = System::empty();
    system.pci("0000:01:00.0", "0x030200", "10de:2684", Some("nvidia"));
    system.pci("0000:02:00.0", "0x030000", "10de:ffff", Some("nvidia"));
    system.pci("0000:02:00.1", "0x040300", "10de:1b07", Some("snd_hda_intel"));
    system.file("/sys/module/nvidia/version", "550.54.14\n");
    let machine = seen(&system, &[]);
    assert_eq!(driver(&machine), pair("550.54.14", "12.4"));
    assert_eq!((machine.sources.driver, machine.sources.gpus), (Some(Source::SysModule), Some(Source::Pci)));
    assert_eq!(capabilities(&machine), ["8.9", "?"]);
    assert!(has_note(&machine, "libcuda does not answer"));
    system.file("/proc/driver/nvidia/version", PROC);
    let machine = seen(&system, &[("CUDA_VISIBLE_DEVICES", "0")]);
    assert_eq!((driver(&machine), machine.sources.driver), (pair("570.124.06", "12.4"), Some(Source::Proc)));
    assert_eq!(capabilities(&machine), ["8.9"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_card_without_a_working_driver_is_just_that() {
    let system = System::empty();
    system.pci("0000:01:00.0", "0x030000", "10de:1b06", Some("nouveau"));
    let machine = seen(&system, &[]);
    assert_eq!((&machine.driver, machine.sources.gpus), (&None, Some(Source::Pci)));
    assert_eq!(capabilities(&machine), ["6.1"]);
    assert!(has_note(&machine, "no working driver") && has_note(&machine, "`nouveau`"), "{:?}", machine.notes);
}

#[test]
#[cfg(target_os = "linux")]
fn cards_of_others_and_passed_through_ones_count_as_none() {
    let system = System::empty();
    system.pci("0000:00:02.0", "0x030000", "8086:46a6", Some("i915"));
    system.pci("0000:03:00.0", "0x038000", "1002:744c", None);
    system.pci("0000:04:00.0", "0x030000", "10de:1b06", Some("vfio-pci"));
    let machine = seen(&system, &[]);
    assert_eq!((&machine.driver, &machine.gpus), (&None, &Some(Vec::new())));
    assert!(has_note(&machine, "Intel display card 8086:46a6"));
    assert!(has_note(&machine, "AMD display card 1002:744c"));
    assert!(has_note(&machine, "`--variant xpu`") && has_note(&machine, "ROCm"), "{:?}", machine.notes);
    assert!(has_note(&machine, "vfio-pci"));
}

#[test]
#[cfg(target_os = "linux")]
fn an_amd_accelerator_without_an_output_is_told() {
    let system = System::empty();
    system.pci("0000:03:00.0", "0x120000", "1002:74a1", Some("amdgpu")).file("/dev/kfd", "");
    let machine = seen(&system, &[]);
    assert_eq!(machine.gpus, Some(Vec::new()));
    assert!(has_note(&machine, "/dev/kfd"), "{:?}", machine.notes);
}

#[test]
#[cfg(target_os = "linux")]
fn nvidia_smi_is_asked_last_and_only_where_something_suggests_a_card() {
    let ran = "echo ran >> \"${0%/*}/ran\"";
    let query = r#"case "$1" in --query-gpu=*) echo '0, GPU-x, 576.02, 11264, 0x1B0610DE, NVIDIA GeForce GTX 1080 Ti, 6.1';;
        *) echo '| NVIDIA-SMI 545.29.06  Driver Version: 576.02  CUDA Version: 12.9 |';; esac"#;
    let system = System::empty();
    system.program("/usr/bin/nvidia-smi", &format!("{ran}\n{query}"));
    assert_eq!(seen(&system, &[]).gpus, Some(Vec::new()));
    assert!(!system.root().join("usr/bin/ran").exists(), "nothing suggested a card");

    system.file("/proc/version", "Linux version 5.15.167.4-microsoft-standard-WSL2");
    let machine = seen(&system, &[]);
    assert_eq!(driver(&machine), pair("576.02", "12.9"));
    assert_eq!(capabilities(&machine), ["6.1"]);
    assert_eq!(machine.sources.gpus, Some(Source::NvidiaSmi));
    assert!(system.root().join("usr/bin/ran").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn an_old_nvidia_smi_without_capabilities_names_cards() {
    let system = System::empty();
    system.pci("0000:01:00.0", "0x030000", "10de:ffff", Some("nvidia"));
    system.file("/proc/driver/nvidia/version", PROC);
    system.program(
        "/usr/bin/nvidia-smi",
        r#"case "$1" in *compute_cap) exit 2;; --query-gpu=*) echo '0, GPU-x, 470.82.01, 11264, 0x1B0610DE, GTX 1080 Ti';; esac"#,
    );
    let machine = seen(&system, &[]);
    assert_eq!(capabilities(&machine), ["6.1"], "by its PCI id");
    assert_eq!(driver(&machine), pair("570.124.06", "12.4"), "the kernel has the first word");
}

#[test]
#[cfg(target_os = "linux")]
fn an_nvidia_smi_that_fails_says_why() {
    let system = System::empty();
    system.pci("0000:01:00.0", "0x030000", "10de:1b06", None);
    system.program("/usr/bin/nvidia-smi", "echo \"NVIDIA-SMI has failed because it couldn't communicate\"; exit 9");
    let machine = seen(&system, &[]);
    assert_eq!((&machine.driver, machine.sources.gpus), (&None, Some(Source::Pci)));
    assert!(has_note(&machine, "couldn't communicate"), "{:?}", machine.notes);
}

#[test]
#[cfg(target_os = "linux")]
fn that_there_is_nothing_has_a_source_where_it_can_be_seen() {
    let system = System::empty();
    system.pci("0000:00:02.0", "0x030000", "8086:46a6", Some("i915")).file("/proc/version", "Linux version 6.1.0");
    let machine = seen(&system, &[]);
    assert_eq!((&machine.driver, &machine.gpus), (&None, &Some(Vec::new())));
    assert_eq!((machine.sources.driver, machine.sources.gpus), (Some(Source::Proc), Some(Source::Pci)));
}

#[test]
fn the_driver_library_alone_knows_cards_and_cuda() {
    if !has_stubs("the_driver_library_alone_knows_cards_and_cuda") {
        return;
    }
    let system = System::empty();
    cuda(&system.libraries(), 12080, &[StubCard::RTX_4090]);
    let machine = seen(&system, &[]);
    assert_eq!((driver(&machine), capabilities(&machine)), (pair("?", "12.8"), vec!["8.9".to_owned()]));
    assert_eq!(machine.sources.gpus, Some(Source::DriverLibrary));
}

#[test]
#[cfg(windows)]
fn the_drivers_own_package_serves_where_system32_has_no_copy() {
    if !has_stubs("the_drivers_own_package_serves_where_system32_has_no_copy") {
        return;
    }
    let system = System::empty();
    let package = system.libraries().join(r"DriverStore\FileRepository\nv_dispi.inf_amd64_1");
    nvml(&package, "572.83", 12080, &[StubCard::RTX_4090]);
    let machine = seen(&system, &[]);
    assert_eq!((driver(&machine), capabilities(&machine)), (pair("572.83", "12.8"), vec!["8.9".to_owned()]));
    assert_eq!(machine.sources.driver, Some(Source::Nvml));
}

#[test]
#[cfg(target_os = "linux")]
fn wsl_has_the_driver_of_windows_in_a_folder_of_its_own() {
    if !has_stubs("wsl_has_the_driver_of_windows_in_a_folder_of_its_own") {
        return;
    }
    let system = System::empty();
    system.file("/proc/sys/kernel/osrelease", "5.15.167.4-microsoft-standard-WSL2\n");
    system.pci("0a1b:00:00.0", "0x030200", "1414:008e", None);
    nvml(&system.root().join("usr/lib/wsl/lib"), "572.83", 12080, &[StubCard::RTX_4090]);
    let machine = seen(&system, &[]);
    assert!(machine.wsl && machine.windows.is_none());
    assert_eq!((driver(&machine), capabilities(&machine)), (pair("572.83", "12.8"), vec!["8.9".to_owned()]));
    assert_eq!((machine.os, machine.driver_os()), (Os::Linux, Os::Windows));
    assert!(machine.notes.is_empty(), "the card is Windows' own, and no other maker's: {:?}", machine.notes);
}

#[test]
fn nothing_is_a_fact_and_survives_the_round_trip() {
    let machine = seen(&System::empty(), &[]);
    assert_eq!((&machine.driver, &machine.gpus, machine.sources.driver), (&None, &Some(Vec::new()), None));
    let json = machine.to_facts_json();
    assert_eq!(json.as_object().unwrap().keys().next().unwrap(), "schema");
    let again = Machine::read_facts(&json.to_string()).unwrap();
    assert_eq!((again.os, again.gpus, again.driver), (machine.os, machine.gpus, machine.driver));
}
