//! Files as only Windows has them: in use, read-only, too deep.

use fs_err::os::windows::fs::OpenOptionsExt as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use super::place::{Place, Wheels, machine, python_of};

const CPU: [&str; 5] = ["install", "torch==2.9.1", "--variant", "cpu", "--check=none"];
const CUDA: [&str; 5] = ["install", "torch==2.9.1", "--variant", "cu128", "--check=none"];

#[test]
fn a_path_that_python_could_not_open_is_refused_before_anything_is_made() {
    let Some(place) = Place::new(Wheels::Bundled) else { return };
    let _machine = machine();
    let deep = place.folder().join("d".repeat(120)).join("e".repeat(60));
    let ran = place.run(&["install", "torch==2.9.1", "--json", "--venv", deep.to_str().unwrap()]);
    let error = ran.assert_status(30).json();
    assert_eq!(error["code"], "install.path-too-long", "{error:#}");
    assert!(error["hints"].to_string().contains("LongPathsEnabled"), "{error:#}");
    assert!(!place.folder().join("d".repeat(120)).exists());
}

#[test]
fn a_loaded_library_and_a_read_only_file_are_replaced() {
    let Some(place) = Place::new(Wheels::Bundled) else { return };
    let _machine = machine();
    place.run(&CPU).assert_status(0);
    let venv = place.folder().join(".venv");
    let torch = venv.join("Lib").join("site-packages").join("torch");
    let read_only = torch.join("version.py");
    let mut permissions = fs_err::metadata(&read_only).unwrap().permissions();
    permissions.set_readonly(true);
    fs_err::set_permissions(&read_only, permissions).unwrap();
    let library = torch.join("lib").join("c10.dll");
    let script = "import ctypes, sys; ctypes.CDLL(sys.argv[1]); print('loaded', flush=True); input(); print('alive')";
    let mut user = Command::new(python_of(&venv))
        .args(["-c", script])
        .arg(&library)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(user.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "loaded");

    let ran = place.run(&CUDA);
    ran.assert_status(0);
    assert!(ran.stderr.contains("keeps the old files until it ends"), "{}", ran.stderr);
    assert!(fs_err::read_to_string(&read_only).unwrap().contains("12.8"));

    user.stdin.take().unwrap().write_all(b"\n").unwrap();
    line.clear();
    said.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "alive", "it went on with the old library");
    assert!(user.wait().unwrap().success());
    place.run(&CUDA).assert_status(0);
    assert!(!venv.join(".torchfix").join("in-use").exists(), "what was left went with the next run");
}

#[test]
fn a_file_that_another_program_keeps_open_is_told_and_nothing_is_changed() {
    let Some(place) = Place::new(Wheels::Bundled) else { return };
    let _machine = machine();
    place.run(&CPU).assert_status(0);
    let venv = place.folder().join(".venv");
    let version = venv.join("Lib").join("site-packages").join("torch").join("version.py");
    let before = fs_err::read(&version).unwrap();
    // Moved by itself; a folder with an open file in it, which Windows keeps from being moved, Wine moves.
    let program = venv.join("Scripts").join("torchrun.exe");
    let held = fs_err::OpenOptions::new().read(true).share_mode(0).open(&program).unwrap();
    let mut install = CUDA.to_vec();
    install.push("--json");
    let error = place.run(&install).assert_status(30).json();
    drop(held);
    assert_eq!(error["code"], "install.in-use", "{error:#}");
    assert_eq!(fs_err::read(&version).unwrap(), before);
    assert!(program.is_file());
    place.run(&CUDA).assert_status(0);
}
