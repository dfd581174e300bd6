//! A torchfix that is linked statically, as for musl: it opens no libraries, and the machine is known all the same.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::machine::windows::registry::MadeUpRegistry;
use crate::vocab::Arch;

const SMI: &str = "#!/bin/sh
case $1 in
--query-gpu=*) echo '0, GPU-1a, 572.16, 24564, 0x268410DE, NVIDIA GeForce RTX 4090, 8.9' ;;
*) echo '| NVIDIA-SMI 572.16    Driver Version: 572.16    CUDA Version: 12.8 |' ;;
esac
";

#[test]
fn the_kernel_and_nvidia_smi_tell_what_no_library_can() {
    let root = tempfile::tempdir().unwrap();
    let file = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
        path
    };
    file("proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  572.16  Tue Jan 28 2025\n");
    let smi = file("usr/bin/nvidia-smi", SMI);
    fs_err::set_permissions(smi, std::fs::Permissions::from_mode(0o755)).unwrap();
    let host = Host::with(root.path(), root.path(), &[]);
    let mut machine = Machine::bare(Os::Linux, Arch::X86_64);
    detect_with(&host, &MadeUpRegistry::default(), &(), None, false, &mut machine);
    assert_eq!(machine.driver.unwrap().version.unwrap().to_string(), "572.16");
    assert_eq!(machine.sources.driver, Some(Source::Proc));
    let gpus = machine.gpus.unwrap();
    assert_eq!(gpus[0].compute_capability.unwrap().to_string(), "8.9");
    assert_eq!(machine.sources.gpus, Some(Source::NvidiaSmi));
    assert!(machine.notes.iter().any(|note| note.contains("linked statically")), "{:?}", machine.notes);
}
