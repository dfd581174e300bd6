//! The C and OpenMP runtimes: missing, too old, or two of them.

use torchfix::loader::Problem;

use crate::pe::Dll;
use crate::world::{LIB, MUTEX, PYTHON, SYSTEM, VENV, World};
use crate::{in_lib, named};

fn msvcp(version: [u16; 4]) -> Dll {
    Dll::new().version(version).exports(&MUTEX)
}

#[test]
fn a_missing_c_runtime_comes_from_a_wheel() {
    let mut world = World::cpu();
    world.remove(&format!("{SYSTEM}/msvcp140.dll"));
    assert_eq!(world.predicted(), named(126, "c10.dll"));
    assert!(world.predict().notes[0].contains("msvcp140.dll"));
    assert_eq!(world.fixed(), ["runtime msvcp140.dll"]);
}

#[test]
fn a_c_runtime_that_is_in_the_environment_already_is_linked() {
    let mut world = World::cpu();
    world.remove(&format!("{SYSTEM}/msvcp140.dll"));
    // Where `pip install msvc-runtime` puts it; nothing looks there.
    world.put(VENV, "msvcp140.dll", msvcp([14, 51, 36247, 0]));
    assert_eq!(world.predicted(), named(126, "c10.dll"));
    assert_eq!(world.fixed(), ["msvcp140.dll"]);
}

#[test]
fn a_c_runtime_from_before_the_constexpr_mutex_crashes() {
    let mut world = World::cpu();
    world.put(SYSTEM, "msvcp140.dll", msvcp([14, 38, 33135, 0]));
    assert_eq!(world.predicted(), named(1114, "c10.dll"));
    let problems = world.problems();
    let Problem::RuntimeTooOld { have, need, by, .. } = &problems[0] else { panic!("{problems:?}") };
    assert_eq!((have.to_string(), need.to_string()), ("14.38.33135.0".to_owned(), "14.40.0.0".to_owned()));
    assert_eq!(*by, in_lib("c10.dll"));
    assert_eq!(world.fixed(), ["runtime msvcp140.dll"]);

    // Also over a copy that someone put into torch's folder.
    let mut world = World::cpu();
    world.put(LIB, "msvcp140.dll", msvcp([14, 29, 30139, 0]));
    assert_eq!(world.predicted(), named(1114, "c10.dll"));
    assert_eq!(world.fixed(), ["runtime msvcp140.dll"]);

    // Of older linkers, and where the mutex is initialised as ever, the old one serves.
    for c10 in [
        Dll::new().linker(14, 29).imports("MSVCP140.dll", &["_Mtx_lock"]),
        Dll::new().linker(14, 42).imports("MSVCP140.dll", &MUTEX),
    ] {
        let mut world = World::new();
        world.put(SYSTEM, "msvcp140.dll", msvcp([14, 38, 33135, 0]));
        world.own("c10.dll", c10);
        assert_eq!(world.problems(), []);
    }
}

#[test]
fn a_c_runtime_beside_the_program_cannot_be_outranked() {
    let mut world = World::cpu();
    world.put(PYTHON, "msvcp140.dll", msvcp([14, 29, 30139, 0]));
    let fixes = world.fixes();
    assert!(fixes.fixes.is_empty() && fixes.left[0].why.contains("beside the Python"), "{fixes:?}");
}

#[test]
fn vcruntime140_threads_comes_from_a_wheel() {
    let mut world = World::cpu();
    world.torch.version = Some("2.14.1+cpu".parse().unwrap());
    let cpu = Dll::new().linker(14, 42).imports("VCRUNTIME140_THREADS.dll", &["_Thrd_start"]);
    world.own("torch_cpu.dll", cpu.exports(&["at_empty"]));
    assert_eq!(world.predicted(), named(126, "shm.dll"));
    let report = world.predict();
    let problem = report.problems().next().unwrap();
    assert_eq!(report.chain(problem), [in_lib("shm.dll"), in_lib("torch_cpu.dll")]);
    assert_eq!(world.fixed(), ["runtime vcruntime140_threads.dll"]);
}

#[test]
fn torch_2_4_0_has_no_openmp_runtime() {
    let mut world = World::cpu();
    world.torch.version = Some("2.4.0".parse().unwrap());
    world.own("fbgemm.dll", Dll::new().imports("libomp140.x86_64.dll", &["__kmpc_fork_call"]));
    assert_eq!(world.predicted(), named(126, "fbgemm.dll"));
    let fixes = world.fixes();
    assert!(fixes.fixes.is_empty() && fixes.left[0].why.contains("2.4.1"), "{fixes:?}");
}

#[test]
fn two_openmp_runtimes_are_told() {
    let mut world = World::cpu();
    world.put(&format!("{VENV}/Library/bin"), "libiomp5md.dll", Dll::new().exports(&["omp_get_num_threads"]));
    assert_eq!(world.problems(), []);
    world.setting.preloads.push(format!("{VENV}/Library/bin/libiomp5md.dll").into());
    let [Problem::LoadedTwice { says, .. }] = &world.problems()[..] else { panic!("{:?}", world.problems()) };
    assert!(says.contains("Error #15"));
    assert_eq!(world.fixes().left.len(), 1);
}
