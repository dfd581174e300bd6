//! Interpreters: real ones, and scripts that pretend to be.

use std::path::{Path, PathBuf};
use std::process::Command;

use torchfix::host::Host;
use torchfix::machine::{CompatibleTags, DetectOptions, Interpreter, Machine, PythonError, PythonRequest, detect};
use torchfix::vocab::{Arch, Diagnostic as _, ExitStatus};

use crate::support::skipped;
use crate::support::stubs::System;

fn real_host() -> Host {
    Host::of_process().unwrap()
}

/// The machine's own Python, by its real path; says so aloud when a test is skipped for want of one.
fn real_python(test: &str, cache: &Path) -> Option<Interpreter> {
    let found = Interpreter::find(&real_host(), None, cache).ok();
    if found.is_none() {
        skipped(&format!("{test} needs a Python on PATH"));
    }
    found
}

fn said(python: &Path, script: &str) -> String {
    let output = Command::new(python).args(["-I", "-c", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A script that answers like an interpreter of this version.
fn pretender(system: &System, path: &str, version: &str) -> PathBuf {
    let file = system.root().join(path);
    let minor = version.split('.').nth(1).unwrap();
    let text = file.display();
    let answer = format!(
        r#"{{"executable":"{text}","prefix":"/p","base_prefix":"/p","base_executable":"{text}","version":"{version}",
        "implementation":"cpython","abi":"cp3{minor}","free_threaded":false,"bits":64,"platform":"linux-x86_64","glibc":"2.36",
        "markers":{{"implementation_name":"cpython","implementation_version":"{version}","os_name":"posix",
        "platform_machine":"x86_64","platform_python_implementation":"CPython","platform_release":"6","platform_system":"Linux",
        "platform_version":"1","python_full_version":"{version}","python_version":"3.{minor}","sys_platform":"linux"}},
        "paths":{{"purelib":"/p","platlib":"/p","scripts":"/p","data":"/p","include":"/p","stdlib":"/p"}},
        "externally_managed":null,"is_venv":false,"system_site_packages":false}}"#
    )
    .replace('\n', " ");
    system.program(path, &format!("echo ran >> '{text}.ran'\necho '{answer}'"));
    file
}

fn runs(file: &Path) -> usize {
    fs_err::read_to_string(format!("{}.ran", file.display())).unwrap_or_default().lines().count()
}

fn on_path(system: &System, folders: &[&str]) -> Host {
    let folders = folders.iter().map(|folder| system.root().join(folder));
    let path = std::env::join_paths(folders).unwrap();
    system.host(&[("PATH", path.to_str().unwrap())])
}

fn request(text: &str) -> PythonRequest {
    text.parse().unwrap()
}

#[test]
fn the_real_python_says_what_it_is() {
    let cache = tempfile::tempdir().unwrap();
    let Some(python) = real_python("the_real_python_says_what_it_is", cache.path()) else { return };
    let version = said(&python.executable, "import platform; print(platform.python_version())");
    assert_eq!(python.version.to_string(), version.trim_end_matches('+'));
    assert_eq!(python.prefix.display().to_string(), said(&python.executable, "import sys; print(sys.prefix)"));
    assert!(python.paths.stdlib.join("os.py").is_file());
    assert!(python.base_executable.is_file());
    assert_eq!(python.markers().sys_platform(), "linux");
    let machine = detect(&real_host(), &(), &DetectOptions::default()).with_interpreter(&python);
    assert_eq!(machine.glibc, python.glibc);
    // What facts alone give must be what the interpreter itself says, or a plan from afar differs from one at hand.
    let ours = torchfix::machine::markers_of(&machine).unwrap();
    let theirs = python.markers();
    for (ours, theirs) in [
        (ours.platform_machine(), theirs.platform_machine()),
        (ours.os_name(), theirs.os_name()),
        (ours.platform_system(), theirs.platform_system()),
        (ours.platform_release(), theirs.platform_release()),
        (ours.platform_python_implementation(), theirs.platform_python_implementation()),
    ] {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.python_full_version(), theirs.python_full_version());
}

#[test]
fn our_tags_are_those_of_packaging() {
    let cache = tempfile::tempdir().unwrap();
    let Some(python) = real_python("our_tags_are_those_of_packaging", cache.path()) else { return };
    let script = "try:\n from packaging import tags\nexcept ImportError:\n from pip._vendor.packaging import tags\n\
                  print('\\n'.join(map(str, tags.sys_tags())))";
    let output = Command::new(&python.executable).args(["-I", "-c", script]).output().unwrap();
    if !output.status.success() {
        skipped("our_tags_are_those_of_packaging needs packaging or pip");
        return;
    }
    let machine = detect(&real_host(), &(), &DetectOptions::default()).with_interpreter(&python);
    let own_any = format!("{}-none-any", python.abi.as_deref().unwrap().trim_end_matches(['t', 'd']));
    // Older releases of packaging leave that one out.
    let tags = CompatibleTags::of(&machine).unwrap();
    let ours: Vec<String> = tags.iter().map(|tag| tag.to_string()).filter(|tag| *tag != own_any).collect();
    let theirs = String::from_utf8(output.stdout).unwrap();
    let theirs: Vec<&str> = theirs.lines().filter(|tag| *tag != own_any).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn a_venv_is_seen_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let Some(base) = real_python("a_venv_is_seen_as_one", folder.path()) else { return };
    let venv = folder.path().join("venv");
    let made = Command::new(&base.executable).args(["-m", "venv", "--without-pip"]).arg(&venv).output().unwrap();
    if !made.status.success() {
        skipped("a_venv_is_seen_as_one needs the venv module");
        return;
    }
    let python = Interpreter::ask(&real_host(), &venv, folder.path()).unwrap();
    let of_venv = |script: &str| said(&venv.join("bin/python"), script);
    assert!(python.is_venv && !python.system_site_packages);
    assert_eq!(python.externally_managed, None);
    assert_eq!(python.prefix, venv);
    assert_eq!(python.base_prefix.display().to_string(), of_venv("import sys; print(sys.base_prefix)"));
    assert!(!python.base_executable.starts_with(&venv), "{}", python.base_executable.display());
    let path = |name: &str| of_venv(&format!("import sysconfig; print(sysconfig.get_path('{name}'))"));
    assert_eq!(python.paths.purelib.display().to_string(), path("purelib"));
    assert_eq!(python.paths.scripts.display().to_string(), path("scripts"));
    assert!(python.paths.include.starts_with(&venv), "headers of wheels never go to the base");
}

#[test]
fn answers_are_remembered_until_something_changes() {
    let system = System::empty();
    let cache = system.root().join("cache");
    let python = pretender(&system, "bin/python3", "3.12.1");
    let ask = || Interpreter::ask(&system.host(&[]), &python, &cache).unwrap();
    let first = ask();
    assert_eq!((ask(), runs(&python)), (first.clone(), 1));
    system.file("pyvenv.cfg", "home = /elsewhere");
    ask();
    assert_eq!(runs(&python), 2, "a pyvenv.cfg appeared");
    pretender(&system, "bin/python3", "3.13.0");
    assert_eq!(ask().version.to_string(), "3.13.0");
    for entry in fs_err::read_dir(cache.join("interpreters")).unwrap() {
        fs_err::write(entry.unwrap().path(), "{\"fingerprint\":").unwrap();
    }
    let before = runs(&python);
    assert_eq!(ask().version.to_string(), "3.13.0");
    assert_eq!(runs(&python), before + 1, "a damaged entry is no answer");
    ask();
    assert_eq!(runs(&python), before + 1, "and was written anew");
}

#[test]
fn what_a_script_chose_this_time_is_not_remembered() {
    let system = System::empty();
    let cache = system.root().join("cache");
    let one = pretender(&system, "versions/one/python3", "3.11.1");
    let other = pretender(&system, "versions/other/python3", "3.12.1");
    system.program("shims/python3", &format!("exec '{}' \"$@\"", one.display()));
    let host = on_path(&system, &["shims"]);
    assert_eq!(Interpreter::find(&host, None, &cache).unwrap().version.to_string(), "3.11.1");
    // As `pyenv global` does, without touching the script's time or size.
    fs_err::remove_file(&one).unwrap();
    fs_err::copy(&other, &one).unwrap();
    assert_eq!(Interpreter::find(&host, None, &cache).unwrap().version.to_string(), "3.12.1");
}

#[test]
fn the_first_that_runs_is_taken() {
    let system = System::empty();
    let cache = system.root().join("cache");
    system.program("a/python3", "echo 'pyenv: version `3.14` is not installed' >&2; exit 127");
    system.program("a/python", "echo '{\"unsupported\": \"3.6.15\"}'");
    system.file("b/python3", "not executable");
    pretender(&system, "c/python3", "3.11.1");
    pretender(&system, "d/python3.12", "3.12.2");
    let host = on_path(&system, &["missing", "a", "b", "c", "d"]);
    let find = |asked: Option<&str>| Interpreter::find(&host, asked.map(request).as_ref(), &cache);
    assert_eq!(find(None).unwrap().version.to_string(), "3.11.1");
    assert_eq!(find(Some("3.12")).unwrap().version.to_string(), "3.12.2");
    assert_eq!(find(Some("python3.11")).unwrap().version.to_string(), "3.11.1");

    let error = find(Some("3.13")).unwrap_err();
    assert_eq!((error.code(), error.exit_status()), ("python.not-found", ExitStatus::Environment));
    assert_eq!(error.to_string(), "no Python 3.13 was found");
    let tried = error.explanation().join("\n");
    for part in ["version `3.14` is not installed", "it is Python 3.6.15", "it is Python 3.11.1"] {
        assert!(tried.contains(part), "{tried}");
    }
    assert!(!tried.contains("b/python3"), "{tried}");
    assert!(error.hints()[0].contains("python3.13"), "{:?}", error.hints());
}

#[test]
fn no_python_at_all_says_how_to_get_one() {
    let system = System::empty();
    system.file("/etc/os-release", "NAME=\"Fedora Linux\"\nID=fedora\n");
    let error = Interpreter::find(&on_path(&system, &["empty"]), None, &system.root().join("cache")).unwrap_err();
    assert_eq!((error.code(), error.exit_status()), ("python.not-found", ExitStatus::Environment));
    assert!(error.hints()[0].contains("dnf install python3"), "{:?}", error.hints());
    system.file("/etc/os-release", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n");
    let error = Interpreter::find(&on_path(&system, &["empty"]), None, &system.root().join("cache")).unwrap_err();
    assert!(error.hints()[0].contains("apt install python3 python3-venv"), "{:?}", error.hints());
}

#[test]
fn a_named_python_must_run() {
    let system = System::empty();
    let cache = system.root().join("cache");
    let host = system.host(&[]);
    let ask = |path: &str| Interpreter::ask(&host, Path::new(path), &cache).unwrap_err();
    system.program("broken", "echo 'error while loading shared libraries: libpython3.12.so.1.0' >&2; exit 127");
    assert!(ask("broken").to_string().contains("libpython3.12.so.1.0"), "{}", ask("broken"));
    system.program("silent", "exit 0");
    assert!(matches!(ask("silent"), PythonError::DoesNotRun { .. }));
    system.program("babbling", "echo hello");
    assert!(ask("babbling").to_string().contains("`hello`"), "{}", ask("babbling"));
    system.program("old", "echo '{\"unsupported\": \"3.7.17\"}'");
    assert_eq!(ask("old").code(), "python.unsupported");
    assert_eq!(ask("nowhere").code(), "python.no-such-file");
    system.file("folder/readme", "no Python in here");
    assert_eq!(ask("folder").code(), "python.no-such-file");
    assert!(!cache.exists(), "what does not run is not remembered");
}

#[test]
fn tags_of_a_machine_from_afar() {
    let facts =
        r#"{"schema":"torchfix.facts/1","os":"linux","arch":"x86_64","glibc":"2.36","python":{"version":"3.11.2"}}"#;
    let machine = Machine::read_facts(facts).unwrap();
    assert_eq!(machine.arch, Arch::X86_64);
    let tags = CompatibleTags::of(&machine).unwrap();
    assert_eq!(tags.iter().next().unwrap().to_string(), "cp311-cp311-manylinux_2_36_x86_64");
}
