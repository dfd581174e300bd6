//! NVIDIA's DLLs: found where they are published, put where they are found.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use torchfix::host::Host;
use torchfix::install::{Additions, Amendment, Hook, LinkMode, amend};
use torchfix::venv::Environment;

use super::place::{Place, Wheels, machine, machine_alone, python};
use super::support::site::Ran;
use super::support::stubs::{StubCard, has_stubs, nvml};

/// Calls into the real runtime libraries through `torch_cuda.dll`.
const CALL: &str = "\
import torch, ctypes, os
print(torch.__version__, torch.version.cuda, flush=True)
library = ctypes.CDLL(os.path.join(os.path.dirname(torch.__file__), 'lib', 'torch_cuda.dll'))
library.torchfix_cudnn_version.restype = ctypes.c_size_t
print('cudart', library.torchfix_cudart_version(), flush=True)
print('cudnn', library.torchfix_cudnn_version(), flush=True)
";

#[track_caller]
fn assert_calls(ran: &Ran) {
    ran.assert_status(0);
    let lines: Vec<&str> = ran.stdout.lines().map(str::trim).collect();
    assert_eq!(lines, ["2.9.1+cu128 12.8", "cudart 12080", "cudnn 91002"], "{ran:#?}");
}

/// NVML in the driver's own folder for as long as it lives.
struct DriverPackage(PathBuf);

impl DriverPackage {
    fn new() -> Self {
        let folder = PathBuf::from(r"C:\windows\system32\DriverStore\FileRepository\nv_dispi.inf_amd64_torchfix");
        nvml(&folder, "572.83", 12080, &[StubCard::RTX_4090]);
        Self(folder)
    }
}

impl Drop for DriverPackage {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(&self.0);
    }
}

#[test]
fn an_rtx_4090_gets_cu128_and_torch_calls_into_the_real_cudart() {
    let Some(place) = Place::new(Wheels::Bundled) else { return };
    if !has_stubs("an RTX 4090 on Windows") {
        return;
    }
    let _machine = machine_alone();
    let _driver = DriverPackage::new();
    // The stand-in for torch_cuda.dll has no kernels: the model is what can be held against it.
    let ran = place.run(&["install", "--check", "static", "--json"]);
    let answer = ran.assert_status(0).json();
    assert_eq!(answer["plan"]["variant"], "cu128", "{answer:#}");
    assert_eq!(answer["plan"]["torch"], "2.9.1+cu128");
    assert_eq!(answer["check"]["good"], true, "{answer:#}");
    assert_calls(&python(&place.folder().join(".venv"), CALL, &[]));
}

/// A folder with another cuDNN and another CUDA runtime, as old toolkits leave them on `PATH`.
fn old_toolkit(place: &Place) -> PathBuf {
    let bin = place.folder().join("CUDA").join("v11.8").join("bin");
    fs_err::create_dir_all(&bin).unwrap();
    // A DLL that exports nothing of what is needed.
    let other = place.rig.join("python").join("vcruntime140_1.dll");
    for name in ["cudnn64_9.dll", "cudnn_graph64_9.dll", "cudart64_12.dll", "cublas64_12.dll", "zlibwapi.dll"] {
        fs_err::copy(&other, bin.join(name)).unwrap();
    }
    bin
}

#[test]
fn cudnn_beside_torch_is_found_through_the_fix_and_only_through_it() {
    let Some(place) = Place::new(Wheels::Split) else { return };
    let _machine = machine();
    let old = old_toolkit(&place);
    let path = place.path_variable(&[&old]);
    let toolkit = old.parent().unwrap().as_os_str();
    let surroundings: [(&str, &OsStr); 3] = [("PATH", &path), ("CUDA_PATH", toolkit), ("CUDA_PATH_V12_8", toolkit)];
    let install = ["install", "torch==2.9.1", "--gpu", "RTX 4090", "--driver", "572.83", "--check", "static", "--json"];
    let ran = Ran::of(&place.command(&install).envs(surroundings).output().unwrap());
    let answer = ran.assert_status(0).json();
    assert_eq!(answer["plan"]["torch"], "2.9.1+cu128");
    let fixed = answer["search_path"]["fixed"].to_string();
    assert!(fixed.contains("cudnn64_9.dll") && fixed.contains("cudnn_graph64_9.dll"), "{answer:#}");
    assert!(ran.stderr.contains("mended: "), "{}", ran.stderr);
    let venv = place.folder().join(".venv");
    assert_calls(&python(&venv, CALL, &surroundings));

    // Without what is only looked up when it runs.
    let list = Additions::read(&venv).unwrap();
    let added: Vec<&String> = list.files.keys().collect();
    for path in added.iter().filter(|path| path.contains("cudnn_")) {
        fs_err::remove_file(venv.join(path)).unwrap();
    }
    let plain = [("PATH", place.path_variable(&[]))];
    let plain: Vec<(&str, &OsStr)> = plain.iter().map(|(name, value)| (*name, value.as_os_str())).collect();
    let ran = python(&venv, CALL, &plain);
    assert!(ran.status != 0 && ran.stdout.contains("cudart 12080"), "{ran:#?}");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("Could not locate cudnn_graph64_9.dll"), "{ran:#?}");

    // Without any of it: what users paste.
    for path in &added {
        let _ = fs_err::remove_file(venv.join(path));
    }
    let ran = python(&venv, CALL, &plain);
    assert!(ran.status != 0 && ran.stderr.contains("[WinError 126]"), "{ran:#?}");
    assert!(ran.stderr.contains("dll\" or one of its dependencies."), "{ran:#?}");

    hook_into(&venv, &place, &list);
    assert_calls(&python(&venv, CALL, &plain));
}

/// What is done where files cannot be linked.
fn hook_into(venv: &Path, place: &Place, list: &Additions) {
    let host = Host::of_process().unwrap();
    let environment = Environment::open(&host, venv, &place.folder().join("pythons")).unwrap();
    let below_site = |path: &String| path.strip_prefix("Lib/site-packages/").unwrap().to_owned();
    let preloads: Vec<String> = list.files.values().filter_map(|added| added.from.as_ref().map(below_site)).collect();
    let folder = |path: &String| path.rsplit_once('/').unwrap().0.to_owned();
    let mut folders: Vec<String> = preloads.iter().map(folder).collect();
    folders.sort();
    folders.dedup();
    let hook = Amendment::Hook { hook: Hook { folders, preloads }, why: "a test".to_owned() };
    amend(&environment.scheme, &[hook], LinkMode::Auto, &AtomicBool::new(false), &()).unwrap();
}

#[test]
fn a_release_that_lacks_a_dll_everywhere_is_refused_with_the_reason() {
    let Some(place) = Place::new(Wheels::Bundled) else { return };
    let _machine = machine();
    let ran = Ran::of(&place.command_on_real_index(&["install", "torch==2.4.0", "--json"]).output().unwrap());
    let said = ran.assert_status(10).json().to_string();
    assert!(said.contains("libomp140.x86_64.dll") && said.contains("2.4.1"), "{said}");
    assert!(!place.folder().join(".venv").exists());
}
