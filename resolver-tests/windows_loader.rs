//! The model of the Windows loader, and the fixes that follow from it, on machines made of small DLLs.
#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "helpers of tests, made to read well where they are called"
)]

#[path = "windows_loader/additions.rs"]
mod additions;
#[path = "support/pe.rs"]
mod pe;
#[path = "windows_loader/runtime.rs"]
mod runtime;
#[path = "windows_loader/world.rs"]
mod world;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use torchfix::loader::{Fix, Problem};
use torchfix::vocab::FileVersion;

use pe::{Dll, I386};
use world::{LIB, Nvidia, PYTHON, SITE, SYSTEM, VENV, World, nvidia_dlls};

fn in_lib(name: &str) -> PathBuf {
    Path::new(LIB).join(name)
}

fn named(code: u32, name: &str) -> Option<(u32, String)> {
    Some((code, name.to_owned()))
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

#[test]
fn whole_builds_load() {
    for world in [World::cpu(), World::cuda(Nvidia::InLib)] {
        let report = world.predict();
        assert_eq!(world.problems(), []);
        assert_eq!((report.prediction, report.notes.len()), (None, 0), "{:?}", report.notes);
        assert!(report.libraries.iter().any(|library| library.path.ends_with("torch/_C.cp312-win_amd64.pyd")));
        let c10 = report.libraries.iter().find(|library| library.path == in_lib("c10.dll")).unwrap();
        let runtime = c10.needs.iter().find(|need| need.name == "VCRUNTIME140.dll").unwrap();
        assert!(runtime.path.as_ref().unwrap().starts_with(PYTHON), "the program's own is loaded already");
        assert!(world.fixes().fixes.is_empty());
    }
}

#[test]
fn nvidias_wheels_are_linked_into_torchs_folder() {
    let mut world = World::cuda(Nvidia::InWheels);
    assert_eq!(world.predicted(), named(126, "c10_cuda.dll"), "the first in the alphabet is named");
    let report = world.predict();
    let cudart = report.problems().find(|problem| problem.culprit() == "cudart64_12.dll").unwrap();
    assert_eq!(report.chain(cudart), [in_lib("c10_cuda.dll")]);
    let all: Vec<String> = nvidia_dlls([9, 10, 2, 21], 12080).iter().map(|(_, name, _)| (*name).to_owned()).collect();
    assert_eq!(sorted(world.fixed()), sorted(all));
}

#[test]
fn what_is_added_to_the_search_path_does_not_reach_what_cudnn_looks_up() {
    let mut world = World::cuda(Nvidia::InWheels);
    let folders = ["cuda_runtime", "cublas", "cuda_nvrtc", "cudnn"];
    world.setting.added_folders = folders.iter().map(|name| format!("{SITE}/nvidia/{name}/bin").into()).collect();
    assert_eq!(world.predicted(), None, "the import succeeds");
    let problems = world.problems();
    let missing =
        |name: &str| problems.iter().any(|it| matches!(it, Problem::LookupMissing { name: it, .. } if it == name));
    assert!(missing("cudnn_graph64_9.dll") && missing("nvrtc-builtins64_*.dll"), "{problems:?}");

    // Opened beforehand, they are found by their names.
    let preloaded = nvidia_dlls([9, 10, 2, 21], 12080)
        .into_iter()
        .filter(|(_, name, _)| name.contains("64_9") || name.contains("builtins"));
    world.setting.preloads =
        preloaded.map(|(wheel, name, _)| format!("{SITE}/nvidia/{wheel}/bin/{name}").into()).collect();
    assert_eq!(world.problems(), []);
    world.setting.preloads.clear();
    let changed = world.fixed();
    assert!(changed.contains(&"cudnn64_9.dll".to_owned()) && changed.contains(&"cudnn_adv64_9.dll".to_owned()));
}

#[test]
fn an_older_cudnn_on_path_is_not_taken() {
    let mut world = World::cuda(Nvidia::InWheels);
    world.setting.path.insert(0, "/old/cudnn".into());
    for (wheel, name, dll) in nvidia_dlls([9, 1, 0, 70], 12080) {
        if wheel == "cudnn" {
            world.put("/old/cudnn", name, dll);
        } else {
            world.own(name, dll);
        }
    }
    assert_eq!(world.predicted(), None, "torch searches PATH when all else fails");
    let report = world.predict();
    assert!(report.notes.iter().any(|note| note.contains("torch_cuda.dll") && note.contains("PATH")));
    let shadowed = Problem::Shadowed {
        found: "/old/cudnn/cudnn64_9.dll".into(),
        have: Some(FileVersion::new([9, 1, 0, 70])),
        own: format!("{SITE}/nvidia/cudnn/bin/cudnn64_9.dll").into(),
        own_version: Some(FileVersion::new([9, 10, 2, 21])),
    };
    assert!(report.problems().any(|problem| *problem == shadowed), "{:?}", world.problems());
    let changed = world.fixed();
    assert!(changed.iter().all(|name| name.starts_with("cudnn")) && changed.len() == 8, "{changed:?}");
}

#[test]
fn cudnn_of_two_versions_is_told() {
    let mut world = World::cuda(Nvidia::InLib);
    world.remove(&format!("{LIB}/cudnn_adv64_9.dll"));
    world.setting.path.push("/old".into());
    world.put("/old", "cudnn_adv64_9.dll", Dll::new().version([9, 1, 0, 70]));
    let mixed = |problem: &Problem| matches!(problem, Problem::MixedVersions { title, files } if title == "cuDNN 9" && files.len() == 6);
    assert!(world.problems().iter().any(mixed), "{:?}", world.problems());
    // No copy in the environment: only torch's wheel has the right one.
    assert_eq!(world.fixes().left.len(), 1);
    world.put(&format!("{SITE}/nvidia/cudnn/bin"), "cudnn_adv64_9.dll", Dll::new().version([9, 10, 2, 21]));
    assert_eq!(world.fixed(), ["cudnn_adv64_9.dll"]);
}

#[test]
fn a_copy_of_another_cudnn_is_not_linked_beside_torchs_own() {
    let mut world = World::cuda(Nvidia::InLib);
    world.remove(&format!("{LIB}/cudnn_adv64_9.dll"));
    for (wheel, name, dll) in nvidia_dlls([9, 13, 0, 50], 12080) {
        world.put(&format!("{SITE}/nvidia/{wheel}/bin"), name, dll);
    }
    let fixes = world.fixes();
    assert!(fixes.fixes.is_empty() && fixes.left[0].why.contains("another version"), "{fixes:?}");
}

#[test]
fn a_stale_cuda_path_does_not_supply_the_runtime() {
    let mut world = World::cuda(Nvidia::InLib);
    let (_, name, cudart) = nvidia_dlls([9, 10, 2, 21], 12080).swap_remove(0);
    world.remove(&format!("{LIB}/{name}"));
    world.put(&format!("{SITE}/nvidia/cuda_runtime/bin"), name, cudart.clone());
    let toolkit = "/CUDA/v12.1";
    world.put(&format!("{toolkit}/bin"), name, nvidia_dlls([9, 1, 0, 70], 12010).swap_remove(0).2);
    world.setting.variables.insert("CUDA_PATH_V12_8".to_owned(), toolkit.into());
    assert_eq!(world.predicted(), None, "torch adds the folder that the variable names");
    let [Problem::Shadowed { found, have, .. }] = &world.problems()[..] else { panic!("{:?}", world.problems()) };
    assert_eq!(
        (found, have.unwrap().to_string().as_str()),
        (&Path::new(toolkit).join("bin").join(name), "6.14.11.12010")
    );
    assert_eq!(world.fixed(), [name]);

    // Another release's variable is not looked at, and the same version is no harm.
    let mut world = World::cuda(Nvidia::InLib);
    world.remove(&format!("{LIB}/{name}"));
    world.put(&format!("{toolkit}/bin"), name, cudart.clone());
    world.put(&format!("{SITE}/nvidia/cuda_runtime/bin"), name, cudart);
    world.setting.variables.insert("CUDA_PATH_V12_1".to_owned(), toolkit.into());
    assert_eq!(world.predicted(), named(126, "c10_cuda.dll"));
    world.setting.variables.insert("CUDA_PATH_V12_8".to_owned(), toolkit.into());
    assert_eq!(world.problems(), []);
    // Nor is the same file without a version.
    let nameless = Dll::new().exports(&["cudaMalloc"]);
    world.put(&format!("{toolkit}/bin"), name, nameless.clone());
    world.put(&format!("{SITE}/nvidia/cuda_runtime/bin"), name, nameless);
    assert_eq!(world.problems(), []);
}

#[test]
fn a_missing_c10_is_blamed_on_shm() {
    let mut world = World::cpu();
    world.remove(&format!("{LIB}/c10.dll"));
    assert_eq!(world.predicted(), named(126, "shm.dll"));
    let report = world.predict();
    let problem = report.problems().next().unwrap();
    assert_eq!(*problem, Problem::Missing { name: "c10.dll".to_owned(), by: in_lib("shm.dll") });
    assert_eq!(report.chain(problem), [in_lib("shm.dll")]);
    assert!(world.fixes().left[0].why.contains("installed again"));
}

#[test]
fn a_truncated_dll_is_error_193() {
    let mut world = World::cpu();
    let whole = world.bytes(&format!("{LIB}/torch_cpu.dll"));
    world.write(&in_lib("torch_cpu.dll"), whole[..whole.len() - 100].to_vec());
    assert_eq!(world.predicted(), named(193, "shm.dll"));
    let problems = world.problems();
    let [Problem::Unloadable { path, fault: torchfix::pe::PeFault::Truncated { .. } }] = &problems[..] else {
        panic!("{problems:?}")
    };
    assert_eq!(*path, in_lib("torch_cpu.dll"));
    assert!(world.fixes().left[0].why.contains("restored"));
}

#[test]
fn a_missing_export_is_error_127_and_a_missing_number_182() {
    let mut world = World::cpu();
    world.own("c10.dll", Dll::new().exports(&["#7"]));
    assert_eq!(world.predicted(), named(127, "shm.dll"));
    let missing = |problem: &Problem| matches!(problem, Problem::ExportMissing { symbol, provider, .. } if symbol == "c10_allocate" && *provider == in_lib("c10.dll"));
    assert!(world.problems().iter().any(missing));
    world.own("c10.dll", Dll::new().exports(&["c10_allocate"]));
    assert_eq!(world.predicted(), named(182, "shm.dll"));
}

#[test]
fn forwarders_are_followed() {
    let mut world = World::cpu();
    world.own("c10.dll", Dll::new().forwards("c10_allocate", "inner.allocate").exports(&["#7"]));
    world.own("inner.dll", Dll::new().exports(&["allocate"]));
    assert_eq!(world.problems(), []);
    world.remove(&format!("{LIB}/inner.dll"));
    assert_eq!(world.predicted(), named(127, "shm.dll"));
    // To the system, and in a circle.
    world.own("c10.dll", Dll::new().forwards("c10_allocate", "KERNEL32.Sleep").exports(&["#7"]));
    assert_eq!(world.problems(), []);
    world.own("c10.dll", Dll::new().forwards("c10_allocate", "c10.c10_allocate").exports(&["#7"]));
    assert_eq!(world.predicted(), named(127, "shm.dll"));
}

#[test]
fn a_dll_does_not_choose_what_is_opened() {
    for name in [r"\\host\share\x.dll", r"..\x.dll", "/evil/x.dll", "c10.dll:x.dll", "C:x.dll", r"api-ms-x\..\x.dll"] {
        let mut world = World::cpu();
        world.own("torch.dll", Dll::new().imports(name, &["x"]));
        world.put(LIB, name, Dll::new().exports(&["x"]));
        assert_eq!(world.predicted(), named(126, "torch.dll"), "{name}");
        let missing = Problem::Missing { name: name.to_owned(), by: in_lib("torch.dll") };
        assert!(world.problems().contains(&missing), "{name}: {:?}", world.problems());
        // Nor does one that it forwards to.
        let mut world = World::cpu();
        let library = name.strip_suffix(".dll").unwrap();
        world.own("c10.dll", Dll::new().forwards("c10_allocate", &format!("{library}.x")).exports(&["#7"]));
        world.put(LIB, name, Dll::new().exports(&["x"]));
        assert_eq!(world.predicted(), named(127, "shm.dll"), "{name}");
    }
}

#[test]
fn a_32_bit_dll_is_passed_over() {
    let mut world = World::cuda(Nvidia::InLib);
    let cudart = world.bytes(&format!("{LIB}/cudart64_12.dll"));
    world.remove(&format!("{LIB}/cudart64_12.dll"));
    world.put(PYTHON, "cudart64_12.dll", Dll::new().machine(I386));
    world.write(Path::new("/Windows/System32/cudart64_12.dll"), cudart.clone());
    assert_eq!(world.problems(), []);
    world.remove("/Windows/System32/cudart64_12.dll");
    assert_eq!(world.predicted(), named(193, "c10_cuda.dll"));
    world.write(&Path::new(SITE).join("nvidia/cuda_runtime/bin/cudart64_12.dll"), cudart);
    assert_eq!(world.fixed(), ["cudart64_12.dll"]);
}

#[test]
fn a_stray_dll_that_does_not_load_is_put_aside() {
    let mut world = World::cpu();
    world.write(&in_lib("a_stray.dll"), b"text".to_vec());
    assert_eq!(world.predicted(), named(193, "a_stray.dll"));
    assert_eq!(world.fixed(), ["-a_stray.dll"]);
    world.put(LIB, "b_stray.dll", Dll::new().imports("nowhere.dll", &["x"]));
    assert_eq!(world.predicted(), named(126, "b_stray.dll"));
    assert_eq!(world.fixed(), ["-b_stray.dll"]);
    // What it needs is better brought to it.
    world.put(LIB, "c_stray.dll", Dll::new().imports("y.dll", &["y"]));
    world.put(&format!("{SITE}/nvidia/y/bin"), "y.dll", Dll::new().exports(&["y"]));
    assert_eq!(world.fixed(), ["y.dll"]);
    // One in the place of a DLL that wheels have.
    let mut world = World::cuda(Nvidia::InWheels);
    world.fixed();
    world.put(LIB, "cudart64_12.dll", Dll::new().machine(I386));
    assert_eq!(world.fixed(), ["-cudart64_12.dll", "cudart64_12.dll"]);
}

#[test]
fn what_is_put_aside_comes_back_for_what_is_linked() {
    let mut world = World::cuda(Nvidia::InWheels);
    // cuDNN's other DLLs need the graph, but a first DLL that cannot be read does not get to them.
    world.write(&in_lib("cudnn64_9.dll"), b"text".to_vec());
    world.put(LIB, "cudnn_graph64_9.dll", Dll::new().imports("MSVCP140.dll", &["nowhere"]));
    let fixed = world.fixed();
    for name in ["cudnn64_9.dll", "cudnn_graph64_9.dll"] {
        let position = |wanted: &str| fixed.iter().position(|name| name == wanted).unwrap();
        assert!(position(&format!("-{name}")) < position(name), "{fixed:?}");
    }
}

#[test]
fn what_is_linked_keeps_what_only_it_needs() {
    let mut world = World::cuda(Nvidia::InLib);
    world.write(&in_lib("x.dll"), b"text".to_vec());
    world.own("c10.dll", Dll::new().imports("y.dll", &["y"]).exports(&["c10_allocate", "#7"]));
    world.put(&format!("{SITE}/nvidia/y/bin"), "y.dll", Dll::new().imports("x.dll", &["x"]).exports(&["y"]));
    let fixes = world.fixes();
    assert!(matches!(&fixes.fixes[..], [Fix::Complete { name, .. }] if name == "y.dll"), "{fixes:#?}");
    assert!(matches!(&fixes.left[..], [left] if left.problem.to_string().contains("x.dll")), "{fixes:#?}");
}

#[test]
fn folders_are_added_as_each_release_does() {
    let needs_x = |version: &str, folder: &str| {
        let mut world = World::cpu();
        world.torch.version = Some(version.parse().unwrap());
        world.own("torch.dll", Dll::new().imports("x.dll", &["x"]));
        world.put(folder, "x.dll", Dll::new().exports(&["x"]));
        world.predicted()
    };
    let bin = format!("{VENV}/bin");
    assert_eq!(needs_x("2.7.1", &bin), named(126, "torch.dll"));
    assert_eq!(needs_x("2.8.0+cpu", &bin), None);
    let nvtx = "/Program Files/NVIDIA Corporation/NvToolsExt/bin/x64";
    assert_eq!(needs_x("2.8.0", nvtx), named(126, "torch.dll"));
    assert_eq!(needs_x("2.9.1", nvtx), None);
    for folder in ["Library/bin", "Scripts", ""] {
        let expected = if folder == "Library/bin" { None } else { named(126, "torch.dll") };
        assert_eq!(needs_x("2.9.1", &format!("{VENV}/{folder}")), expected, "{folder}");
    }
    for outside in [format!("{PYTHON}/Library/bin"), PYTHON.to_owned(), "/Tools".to_owned(), SYSTEM.to_owned()] {
        assert_eq!(needs_x("2.9.1", &outside), None, "{outside}");
    }
}

#[test]
fn a_program_that_cannot_be_read_raises_no_alarm() {
    let mut world = World::cpu();
    world.remove(&format!("{PYTHON}/python.exe"));
    assert_eq!((world.problems(), world.predict().notes.len()), (Vec::new(), 1));
    // Another release's extension module is told.
    let mut world = World::cpu();
    let extension = Dll::new().imports("python313.dll", &["PyObject_Call"]);
    world.put(&format!("{SITE}/torch"), "_C.cp312-win_amd64.pyd", extension);
    assert_eq!(world.predicted(), named(126, "_C.cp312-win_amd64.pyd"));
    assert!(world.fixes().left[0].why.contains("another release of Python"));
}

#[test]
fn a_second_attempt_does_not_hide_what_the_first_met() {
    let mut world = World::cpu();
    // With flags torch's own is found, without them that of System32.
    let openmp = || Dll::new().exports(&["omp_get_num_threads"]).imports("nowhere.dll", &["x"]);
    world.own("libiomp5md.dll", openmp());
    world.put(SYSTEM, "libiomp5md.dll", openmp());
    let report = world.predict();
    assert_eq!(report.problems().count(), 2);
    for problem in report.problems() {
        assert!(!report.chain(problem).is_empty(), "{problem}");
    }
}

#[test]
fn a_copy_in_system32_does_not_stand_for_the_environments_own() {
    let mut world = World::cuda(Nvidia::InLib);
    let (_, name, cudart) = nvidia_dlls([9, 10, 2, 21], 12080).swap_remove(0);
    world.remove(&format!("{LIB}/{name}"));
    world.put(SYSTEM, name, nvidia_dlls([9, 10, 2, 21], 12010).swap_remove(0).2);
    assert_eq!(world.problems(), [], "the only one there is");
    world.put(&format!("{SITE}/nvidia/cu13/bin/x86_64"), name, cudart);
    assert!(matches!(&world.problems()[..], [Problem::Shadowed { found, .. }] if found.starts_with(SYSTEM)));
    assert_eq!(world.fixed(), [name]);
}

proptest! {
    // What failed once is a test of its own.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is in the folders: an answer, no file touched that is not in the environment, and an end of the fixes.
    #[test]
    fn any_mess_has_an_answer(
        dlls in prop::collection::vec((0usize..6, 0usize..8, prop::collection::vec(0usize..8, 0..4), 0u8..8), 0..24)
    ) {
        let folders = [LIB, PYTHON, SYSTEM, "/Tools", &format!("{SITE}/nvidia/x/bin"), &format!("{VENV}/Library/bin")];
        let names = ["c10.dll", "cudnn64_9.dll", "cudnn_graph64_9.dll", "MSVCP140.dll", "libiomp5md.dll", "x.dll", "y.dll", "cudart64_12.dll"];
        let mut world = World::cuda(Nvidia::InWheels);
        for (folder, name, imports, kind) in dlls {
            let dll = imports.iter().fold(Dll::new().linker(14, 42), |dll, other| dll.imports(names[*other], &["f", "_Mtx_lock"]));
            let dll = dll.exports(&["f", "_Mtx_lock"]).forwards("g", "x.g").version([9, u16::from(kind), 0, 0]);
            let dll = if kind == 7 { dll.machine(I386) } else { dll };
            let mut bytes = dll.build();
            if kind == 6 {
                bytes.truncate(700);
            }
            world.write(&Path::new(folders[folder]).join(names[name]), bytes);
        }
        let report = world.predict();
        prop_assert!(report.prediction.is_none() || !report.loads());
        for problem in report.problems() {
            prop_assert!(!report.chain(problem).is_empty(), "{problem}");
        }
        let mut done = Vec::new();
        // What the changes bring to light is followed by others, and that has an end.
        for round in 0.. {
            let fixes = world.fixes().fixes;
            if fixes.iter().all(|fix| done.contains(fix)) {
                break;
            }
            prop_assert!(round < 12, "{done:#?} {fixes:#?}");
            for fix in &fixes {
                match fix {
                    Fix::Aside { path, .. } => prop_assert!(path.starts_with(LIB)),
                    Fix::Complete { from, .. } => prop_assert!(from.starts_with(VENV)),
                    Fix::CRuntime { wheel, .. } => prop_assert_eq!(wheel, "msvc-runtime"),
                }
                world.apply(fix);
            }
            done.extend(fixes);
        }
    }
}
