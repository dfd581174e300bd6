//! From a bare folder to a torch that computes.

use super::place::{Place, Wheels, machine, python};

/// What a user types first.
pub const COMPUTE: &str = "import torch; print(torch.__version__, (torch.arange(4.0) @ torch.arange(4.0)).item())";

#[test]
fn a_bare_folder_becomes_an_environment_that_computes() {
    let Some(place) = Place::new(Wheels::Bundled) else { return };
    let _machine = machine();
    let ran = super::support::site::Ran::of(&place.command_on_real_index(&["install"]).output().unwrap());
    ran.assert_status(0);
    assert!(ran.stdout.contains("torch computes on the CPU"), "{ran:#?}");
    let computed = python(&place.folder().join(".venv"), COMPUTE, &[]);
    assert!(computed.assert_status(0).stdout.trim().ends_with(" 14.0"), "{computed:#?}");

    let again = super::support::site::Ran::of(&place.command_on_real_index(&["install"]).output().unwrap());
    assert!(again.assert_status(0).stdout.contains("nothing to do"), "{again:#?}");
}

#[test]
fn pip_sees_the_installation_as_its_own_wherever_it_lies() {
    let Some(place) = Place::new(Wheels::Bundled) else { return };
    let _machine = machine();
    let venv = place.folder().join("Gr\u{f6}\u{df}e und \u{7a7a}");
    let venv_text = venv.to_str().unwrap();
    let ran = place.run(&["install", "torch==2.9.1", "--venv", venv_text]);
    ran.assert_status(0);
    assert!(ran.stdout.contains("torch computes on the CPU"), "{ran:#?}");

    let listed = place.pip(&venv, &["list", "--format", "freeze"]);
    assert!(listed.assert_status(0).stdout.contains("torch==2.9.1"), "{listed:#?}");
    place.pip(&venv, &["check"]).assert_status(0);
    let program = venv.join("Scripts").join("isympy.exe");
    assert!(program.is_file() && venv.join("Scripts").join("torchrun.exe").is_file());
    let version = std::process::Command::new(venv.join("Scripts").join("torchrun.exe")).arg("--help").output().unwrap();
    assert!(version.status.success(), "{}", String::from_utf8_lossy(&version.stderr));

    place.pip(&venv, &["uninstall", "--yes", "torch"]).assert_status(0);
    assert!(!venv.join("Scripts").join("torchrun.exe").exists());
    let left: Vec<_> = walk(&venv.join("Lib").join("site-packages").join("torch"));
    assert!(left.is_empty(), "{left:?}");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs_err::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
