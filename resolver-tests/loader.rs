//! The check after install: the child that uses torch, and the model that runs nothing, on environments that are damaged.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::Path;
use std::time::Duration;

use torchfix::catalog::Manifests;
use torchfix::host::Host;
use torchfix::loader::{
    BrokenReason, CpuReason, ElfFault, LiveEnd, LiveReport, LiveRequest, LoadReport, LoaderError, Problem, Stage,
    StaticRequest, Verdict, check_live, check_static,
};
use torchfix::machine::{Driver, Machine};
use torchfix::vocab::{Arch, Diagnostic as _, ExitStatus, Os};

use support::elf::{TorchEnvironment, compile};

fn host() -> Host {
    Host::of_process().unwrap()
}

fn live(environment: &TorchEnvironment) -> LiveReport {
    check_live(&LiveRequest::new(&environment.python()), &host(), &()).unwrap()
}

fn machine() -> Machine {
    let arch = Arch::from(std::env::consts::ARCH);
    Machine {
        os: Os::Linux,
        os_version: None,
        arch,
        glibc: None,
        wsl: false,
        driver: None,
        gpus: Some(Vec::new()),
        python: None,
        sources: torchfix::machine::Sources::default(),
        notes: Vec::new(),
        windows: None,
    }
}

fn predicted(environment: &TorchEnvironment, machine: &Machine) -> LoadReport {
    let (python, folders) = (environment.python(), [environment.site_packages()]);
    let request = StaticRequest::new(&python, &folders, Manifests::embedded());
    check_static(&request, machine, &host()).unwrap()
}

fn problems(report: &LoadReport) -> Vec<&Problem> {
    report.problems().collect()
}

#[test]
fn a_whole_torch_works_on_the_cpu_and_says_why_not_more() {
    let Some(environment) = TorchEnvironment::new() else { return };
    let report = live(&environment);
    assert_eq!(report.verdict(false), Verdict::WorksOnCpu { why: CpuReason::CpuBuild }, "{report:?}");
    assert_eq!((report.torch_version.as_deref(), report.opened), (Some("9.9.1"), 2));
    let report = predicted(&environment, &machine());
    assert!(report.loads(), "{:?}", problems(&report));
    assert!(report.libraries.iter().any(|library| library.path.ends_with("torch/lib/libc10.so")));
}

#[test]
fn without_torch_there_is_nothing_to_check() {
    let Some(environment) = TorchEnvironment::without_torch() else { return };
    assert_eq!(live(&environment).verdict(true), Verdict::NoTorch);
    assert_eq!(predicted(&environment, &machine()).torch, None);
}

#[test]
fn what_is_left_of_a_torch_does_not_pass_for_one() {
    let Some(environment) = TorchEnvironment::new() else { return };
    fs_err::remove_file(environment.torch().join("__init__.py")).unwrap();
    let report = live(&environment);
    assert!(matches!(&report.end, LiveEnd::Raised { during: Stage::Import, error } if error.contains("what is left")));
}

#[test]
fn every_gpu_computes_where_one_is_expected() {
    let Some(environment) = TorchEnvironment::new() else { return };
    let environment = environment.at_import("version.cuda = '12.8'\ncuda.is_available = staticmethod(lambda: True)");
    let report = live(&environment);
    let name = Some("Card 0".to_owned());
    assert_eq!(report.verdict(true), Verdict::Works { device: "cuda:0".to_owned(), name });
    assert_eq!(report.cudnn_version.as_deref(), Some("91002"));

    let environment = environment.at_import(
        "def to(self, device):\n    if device == 'cuda:1':\n        raise RuntimeError('no kernel image is available')\n    return self\nTensor.to = to",
    );
    let report = live(&environment);
    let verdict = report.verdict(true);
    assert_eq!(verdict.to_string(), "cuda:1 does not compute: RuntimeError: no kernel image is available");
    assert!(matches!(report.verdict(false), Verdict::WorksOnCpu { why: CpuReason::GpuFails { .. } }));
}

#[test]
fn a_gpu_that_torch_does_not_see_is_told_with_torchs_reason() {
    let Some(environment) = TorchEnvironment::new() else { return };
    let environment = environment.at_import(
        "version.cuda = '12.8'\ndef init():\n    raise RuntimeError('the driver is too old')\ncuda.init = staticmethod(init)",
    );
    let report = live(&environment);
    assert_eq!(report.gpu_error.as_deref(), Some("the driver is too old"));
    assert!(matches!(report.verdict(true), Verdict::Broken { reason: BrokenReason::GpuUnused { .. } }));
    assert!(matches!(report.verdict(false), Verdict::WorksOnCpu { .. }));
}

#[test]
fn a_wrong_result_is_not_taken() {
    let Some(environment) = TorchEnvironment::new() else { return };
    let environment = environment.at_import("Tensor.__matmul__ = lambda self, other: other");
    let verdict = live(&environment).verdict(false);
    assert_eq!(verdict.to_string(), "cpu does not compute: a product of matrices comes out wrong");
}

#[test]
fn a_crash_at_import_is_a_report() {
    let Some(environment) = TorchEnvironment::new() else { return };
    let report = live(&environment.at_import("import os\nos.abort()"));
    assert_eq!(report.end, LiveEnd::Crashed { during: Stage::Import, signal: Some(6), status: None });
    assert!(report.said.contains("__init__.py"), "where it crashed is said: {}", report.said);
    assert_eq!(report.verdict(false).to_string(), "Python was killed by SIGABRT while importing torch");
}

#[test]
fn what_a_library_says_before_it_aborts_is_told() {
    let Some(environment) = TorchEnvironment::new() else { return };
    let report =
        live(&environment.at_import("import os\nos.write(2, b'No libx.so.9\\nInvalid handle\\n')\nos.abort()"));
    assert_eq!(
        report.verdict(false).to_string(),
        "Python was killed by SIGABRT while importing torch: No libx.so.9; Invalid handle"
    );
}

#[test]
fn an_exception_at_import_is_a_report() {
    let Some(environment) = TorchEnvironment::new() else { return };
    let report = live(&environment.at_import("raise OSError('libcudart.so.12: cannot open')"));
    assert_eq!(report.verdict(false).to_string(), "importing torch failed: OSError: libcudart.so.12: cannot open");
}

#[test]
fn a_hang_ends_with_the_time_it_has() {
    let Some(environment) = TorchEnvironment::new() else { return };
    // What it starts holds the pipes open beyond its end.
    let environment =
        environment.at_import("import subprocess, time\nsubprocess.Popen(['sleep', '20'], stdout=2)\ntime.sleep(600)");
    let timeout = Duration::from_secs(3);
    let python = environment.python();
    let request = LiveRequest { timeout, ..LiveRequest::new(&python) };
    let report = check_live(&request, &host(), &()).unwrap();
    assert_eq!(report.end, LiveEnd::TimedOut { during: Stage::Import, after: timeout });
}

#[test]
fn what_libraries_print_is_no_part_of_the_answer() {
    let Some(environment) = TorchEnvironment::new() else { return };
    fs_err::write(environment.site_packages().join("chatty.pth"), "import sys; sys.stdout.write('hello')\n").unwrap();
    let report = live(&environment.at_import("print('{\"event\": \"no-torch\"}', flush=True)"));
    assert_eq!(report.end, LiveEnd::Finished);
    assert!(report.said.contains("no-torch"));
}

#[test]
fn an_interpreter_that_answers_nonsense_or_is_not_there() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let python = folder.path().join("python");
    fs_err::write(&python, "#!/bin/sh\necho nonsense\n").unwrap();
    fs_err::set_permissions(&python, PermissionsExt::from_mode(0o755)).unwrap();
    let report = check_live(&LiveRequest::new(&python), &host(), &()).unwrap();
    assert_eq!(report.end, LiveEnd::Garbled { during: Stage::Start, said: "nonsense".to_owned() });

    let nowhere = folder.path().join("nowhere");
    let error = check_live(&LiveRequest::new(&nowhere), &host(), &()).unwrap_err();
    assert!(matches!(error, LoaderError::PythonNotStarted { .. }));
    assert_eq!((error.code(), error.exit_status()), ("loader.python-not-started", ExitStatus::Environment));
}

#[test]
fn pythonpath_does_not_reach_the_child() {
    let Some(environment) = TorchEnvironment::new() else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    fs_err::write(elsewhere.path().join("torch.py"), "raise RuntimeError('the wrong torch')").unwrap();
    let folder = elsewhere.path().to_str().unwrap();
    let host = Host::with(Path::new("/"), elsewhere.path(), &[("PYTHONPATH", folder), ("PYTHONHOME", folder)]);
    let report = check_live(&LiveRequest::new(&environment.python()), &host, &()).unwrap();
    assert_eq!(report.end, LiveEnd::Finished);
}

#[test]
fn a_missing_library_is_named_by_both_checks() {
    let Some(environment) = TorchEnvironment::new() else { return };
    fs_err::remove_file(environment.lib().join("libc10.so")).unwrap();
    let verdict = live(&environment).verdict(false).to_string();
    assert!(verdict.contains("libtorch_cpu.so` does not open: libc10.so"), "{verdict}");
    let report = predicted(&environment, &machine());
    let [Problem::Missing { name, by }] = problems(&report)[..] else { panic!("{:?}", problems(&report)) };
    assert_eq!((name.as_str(), by), ("libc10.so", &environment.lib().join("libtorch_cpu.so")));
}

#[test]
fn a_truncated_library_is_named_by_both_checks() {
    let Some(environment) = TorchEnvironment::new() else { return };
    let library = environment.lib().join("libc10.so");
    let bytes = fs_err::read(&library).unwrap();
    fs_err::write(&library, &bytes[..bytes.len() / 4]).unwrap();
    // The system's loader may refuse it or die of it.
    let verdict = live(&environment).verdict(false);
    assert!(!verdict.is_good() && verdict.to_string().contains("libc10.so"), "{verdict}");
    let report = predicted(&environment, &machine());
    let Some(Problem::Faulty { path, fault: ElfFault::Truncated { .. } }) = report.problems().next() else {
        panic!("{:?}", problems(&report))
    };
    assert_eq!(*path, library);
}

#[test]
fn a_library_of_another_machine_is_named_by_both_checks() {
    let Some(environment) = TorchEnvironment::new() else { return };
    let library = environment.lib().join("libc10.so");
    let mut bytes = fs_err::read(&library).unwrap();
    bytes[18..20].copy_from_slice(&22u16.to_le_bytes());
    fs_err::write(&library, bytes).unwrap();
    assert!(!live(&environment).verdict(false).is_good());
    let report = predicted(&environment, &machine());
    let wrong = |problem: &Problem| matches!(problem, Problem::Faulty { fault: ElfFault::WrongMachine { machine }, .. } if machine == "s390x");
    assert!(report.problems().all(wrong) && !report.loads(), "{:?}", problems(&report));
}

#[test]
fn a_library_that_is_none_is_named_by_both_checks() {
    let Some(environment) = TorchEnvironment::new() else { return };
    let stray = environment.lib().join("libstray.so");
    fs_err::write(&stray, "404 not found").unwrap();
    let verdict = live(&environment).verdict(false).to_string();
    assert!(verdict.contains("libstray.so` does not open"), "{verdict}");
    let report = predicted(&environment, &machine());
    assert_eq!(problems(&report), [&Problem::Faulty { path: stray, fault: ElfFault::NotElf }]);
}

#[test]
fn a_symbol_version_that_the_library_lacks_is_predicted() {
    let Some(environment) = TorchEnvironment::new() else { return };
    let lib = environment.lib();
    let script = lib.join("versions");
    let versioned = |versions: &str| {
        fs_err::write(&script, versions).unwrap();
        let script = format!("-Wl,--version-script={}", script.display());
        compile("int link(void) { return 1; }", &lib.join("libnvJitLink.so.12"), &[&script])
    };
    let Some(()) = versioned("NEW { global: link; };") else { return };
    let needs = [lib.join("libnvJitLink.so.12").display().to_string(), "-Wl,-rpath,$ORIGIN".to_owned()];
    let source = "int link(void); int sparse(void) { return link(); }";
    compile(source, &lib.join("libcusparse.so.12"), &needs.each_ref().map(String::as_str)).unwrap();
    assert!(predicted(&environment, &machine()).loads());

    versioned("OLD { global: link; };").unwrap();
    let report = predicted(&environment, &machine());
    let [Problem::VersionMissing { version, provider, by }] = problems(&report)[..] else {
        panic!("{:?}", problems(&report))
    };
    assert_eq!(version, "NEW");
    assert_eq!((provider, by), (&lib.join("libnvJitLink.so.12"), &lib.join("libcusparse.so.12")));
}

#[test]
fn what_the_driver_brings_is_missed_only_where_there_is_a_driver() {
    let Some(environment) = TorchEnvironment::new() else { return };
    let stub = environment.lib().join("libnvidia-ml.so.1");
    let Some(()) = compile("int nvml(void) { return 1; }", &stub, &[]) else { return };
    let source = "int nvml(void); int nvrtc(void) { return nvml(); }";
    compile(source, &environment.lib().join("libcaffe2_nvrtc.so"), &[stub.to_str().unwrap()]).unwrap();
    fs_err::remove_file(stub).unwrap();
    // A host without NVIDIA's libraries, whatever this one has.
    let root = tempfile::tempdir().unwrap();
    let host = Host::with(root.path(), root.path(), &[]);
    let predicted = |machine: &Machine| {
        let folders = [environment.site_packages()];
        let request = StaticRequest::new(Path::new("/nowhere"), &folders, Manifests::embedded());
        let report = check_static(&request, machine, &host).unwrap();
        let missing = |problem: &&Problem| problem.to_string().contains("libnvidia-ml.so.1");
        (report.problems().filter(missing).count(), report.notes.len())
    };
    assert_eq!(predicted(&machine()), (0, 1));
    let with_driver = Machine { driver: Some(Driver { version: None, cuda: None }), ..machine() };
    assert_eq!(predicted(&with_driver), (1, 0));
}

#[test]
fn other_systems_are_said_not_to_be_modelled() {
    let Some(environment) = TorchEnvironment::new() else { return };
    let report = predicted(&environment, &Machine { os: Os::Macos, ..machine() });
    assert!(report.libraries.is_empty() && report.notes[0].contains("not modelled"), "{:?}", report.notes);
}
