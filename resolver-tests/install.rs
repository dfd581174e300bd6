//! Environments made and changed for real: trees, RECORDs, programs, and what pip and uv think of them.

mod support;

use std::collections::BTreeMap;
use std::env::consts::EXE_SUFFIX;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use support::environments::{TestEnvironment, assert_same, host, locked, real_python, run, unpack, walk};
use support::platform;
use support::wheels::{BuiltWheel, WheelBuilder};
use torchfix::install::{ApplyOptions, InstallError, LinkMode, apply, recover};
use torchfix::venv::{Environment, VenvError};
use torchfix::vocab::{Diagnostic as _, ExitStatus};

/// A name that RECORD must quote; Windows takes none with quotation marks.
const ODD: &str = if cfg!(windows) { "demo/data/odd, name.txt" } else { "demo/data/odd, \"name\".txt" };

fn demo(version: &str) -> BuiltWheel {
    WheelBuilder::new("demo", version)
        .file(
            "demo/__init__.py",
            format!("import sys\nversion = '{version}'\ndef main():\n    print(version, *sys.argv[1:])\n"),
        )
        .file(ODD, "odd")
        .file("shared/__init__.py", "")
        .file(&format!("shared/demo{version}.py"), "")
        .data("scripts", "demo-script", "#!python\nimport demo\nprint('script', demo.version)\n")
        .data("scripts", "demo-shell", "#!/bin/sh\necho shell\n")
        .data("headers", "demo.h", "#define DEMO\n")
        .data("data", "share/demo/readme", "read me")
        .data("purelib", "demo_pure.py", "")
        .data("platlib", "demo_plat.py", "")
        .entry_point("console_scripts", "demo", "demo:main")
        .build()
}

fn other() -> BuiltWheel {
    WheelBuilder::new("other", "1.0")
        .file("shared/__init__.py", "")
        .file("shared/other.py", "")
        .requires("demo")
        .build()
}

#[test]
fn a_new_environment_is_as_python_makes_it() {
    let Some(ours) = TestEnvironment::new() else { return };
    let theirs = ours.folder.path().join("theirs");
    run(Command::new(&ours.environment.interpreter.base_executable).args(["-m", "venv", "--without-pip"]).arg(&theirs))
        .unwrap();
    let mut expected = BTreeMap::new();
    walk(&theirs, &theirs, &mut expected);
    let mut found = ours.tree();
    let keys = |tree: &BTreeMap<String, String>| -> Vec<String> {
        tree["pyvenv.cfg"].lines().filter_map(|line| Some(line.split_once(" = ")?.0.to_owned())).collect()
    };
    assert_eq!(keys(&found), keys(&expected));
    assert_eq!(found.remove(".gitignore").unwrap().lines().last(), Some("*"));
    expected.remove(".gitignore");
    // Names are compared, and that Python finds itself at home: which name links to which is a matter of taste.
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for name in if cfg!(windows) { &["python"][..] } else { &["python", "python3"] } {
        let prefix = ours.run(name, &["-c", "import sys; print(sys.prefix)"]).unwrap();
        assert_eq!(prefix.trim(), ours.root().to_str().unwrap());
    }
}

#[test]
fn an_environment_that_is_not_what_it_was_is_told() {
    let Some(environment) = TestEnvironment::new() else { return };
    let (folder, own) = (environment.folder.path(), &environment.environment);
    let base = real_python(&folder.join("pythons")).unwrap();
    own.must_agree_with(&base).unwrap();
    own.must_agree_with(&own.interpreter).unwrap();
    let mut other = base.clone();
    (other.executable, other.base_executable) = ("/other/python".into(), "/other/python".into());
    (other.base_prefix, other.prefix) = ("/other".into(), "/other".into());
    assert!(matches!(own.must_agree_with(&other), Err(VenvError::OtherPython { .. })));
    own.probe_writable().unwrap();
    let moved = folder.join("moved");
    fs_err::create_dir_all(&moved).unwrap();
    fs_err::write(moved.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
    let open = || Environment::open(&host(), &moved, &folder.join("pythons"));
    assert!(matches!(open(), Err(VenvError::NoPython { .. })));
    #[cfg(unix)]
    fs_err::os::unix::fs::symlink(environment.root().join("bin"), moved.join("bin")).unwrap();
    let elsewhere = open().unwrap_err();
    assert_eq!(elsewhere.exit_status(), ExitStatus::Environment, "{elsewhere:?}");
}

#[test]
fn every_part_of_a_wheel_finds_its_place() {
    let Some(environment) = TestEnvironment::at("with space") else { return };
    let (applied, warnings) = environment.install(&[demo("1.0"), other()]);
    let applied = applied.unwrap();
    assert_eq!((applied.added, applied.removed), (2, 0));
    assert_eq!(warnings, [""; 0]);
    assert_eq!(environment.titles(), ["demo 1.0", "other 1.0"]);
    environment.assert_records_hold();
    assert_eq!(environment.run("demo", &["a", "b c"]).unwrap(), "1.0 a b c\n");
    let script = environment.scheme.scripts.join("demo-script");
    if cfg!(windows) {
        // Windows starts no file by a line in it: the scripts lie where programs are, as after pip, for Python to run.
        assert_eq!(environment.run("python", &[script.to_str().unwrap()]).unwrap(), "script 1.0\n");
        assert!(environment.scheme.scripts.join("demo-shell").is_file());
    } else {
        assert_eq!(environment.run("demo-script", &[]).unwrap(), "script 1.0\n");
        assert_eq!(environment.run("demo-shell", &[]).unwrap(), "shell\n");
    }
    let tree = environment.tree();
    assert_eq!(tree["share/demo/readme"], "read me");
    let is_header = |path: &String| {
        path.to_ascii_lowercase().starts_with("include/site/python3.") && path.ends_with("/demo/demo.h")
    };
    assert!(tree.keys().any(is_header), "{tree:?}");
    for module in ["demo_pure.py", "demo_plat.py", ODD, "shared/other.py"] {
        assert!(environment.site(module).is_file(), "{module}");
    }
    assert_eq!(fs_err::read_to_string(environment.site("demo-1.0.dist-info/INSTALLER")).unwrap(), "torchfix\n");
    assert!(environment.site("demo-1.0.dist-info/REQUESTED").is_file());
    assert!(!environment.site("demo-1.0.dist-info/direct_url.json").exists());
    assert!(!environment.root().join(".torchfix/transaction").exists());
}

#[test]
fn a_direct_url_is_recorded_and_what_was_not_asked_for_is_not_requested() {
    let Some(environment) = TestEnvironment::new() else { return };
    let wheel = demo("1.0");
    let mut target = locked(&wheel);
    (target.direct, target.requested) = (true, false);
    let plan = environment.plan(&[target]);
    let unpacked = [unpack(&wheel, environment.folder.path())];
    apply(&plan, &unpacked, &environment.scheme, &ApplyOptions::default(), &()).unwrap();
    let text = fs_err::read_to_string(environment.site("demo-1.0.dist-info/direct_url.json")).unwrap();
    assert!(text.contains("\"https://index.test/demo-1.0-py3-none-any.whl\""), "{text}");
    assert!(text.contains(&wheel.sha256.to_string()) && !text.contains("secret"), "{text}");
    assert!(!environment.site("demo-1.0.dist-info/REQUESTED").exists());
    environment.assert_records_hold();
}

#[test]
fn another_version_takes_the_place_of_the_first_and_nothing_of_it_is_left() {
    let Some(environment) = TestEnvironment::new() else { return };
    let empty = environment.tree();
    environment.install(&[demo("1.0"), other()]).0.unwrap();
    // Python compiles what it imports; what was compiled of a module goes with it.
    environment.run("python", &["-c", "import demo, demo_pure, shared.other"]).unwrap();
    assert!(environment.site("__pycache__").is_dir());
    let (applied, warnings) = environment.install(&[demo("2.0"), other()]);
    assert_eq!(applied.unwrap().removed, 1);
    assert_eq!(warnings, [""; 0]);
    assert_eq!(environment.titles(), ["demo 2.0", "other 1.0"]);
    assert_eq!(environment.run("demo", &[]).unwrap(), "2.0\n");
    environment.assert_records_hold();
    assert!(!environment.site("shared/demo1.0.py").exists() && !environment.site("demo-1.0.dist-info").exists());
    assert!(!environment.site("__pycache__").exists(), "compiled modules that went");
    environment.install(&[other()]).0.unwrap();
    assert!(environment.site("shared/__init__.py").is_file(), "another distribution lists it too");
    assert!(!environment.site("demo").exists());
    environment.install(&[]).0.unwrap();
    assert_same(&environment.tree(), &empty);
}

/// The files alone: pip and uv leave some folders empty.
fn files(mut tree: BTreeMap<String, String>) -> BTreeMap<String, String> {
    tree.retain(|path, _| !path.ends_with('/'));
    tree
}

#[test]
fn nothing_to_do_touches_nothing() {
    let Some(environment) = TestEnvironment::new() else { return };
    environment.install(&[demo("1.0")]).0.unwrap();
    let times = || -> Vec<_> {
        let paths = environment.tree().into_keys().chain([environment.scheme.purelib.to_str().unwrap().to_owned()]);
        paths.map(|path| fs_err::symlink_metadata(environment.root().join(path)).unwrap().modified().unwrap()).collect()
    };
    let (tree, before) = (environment.tree(), times());
    assert_eq!(environment.install(&[demo("1.0")]).0.unwrap(), torchfix::install::Applied::default());
    assert_same(&environment.tree(), &tree);
    assert_eq!(times(), before);
}

#[test]
fn pip_and_uv_take_the_result_as_their_own() {
    let Some(environment) = TestEnvironment::new() else { return };
    let empty = environment.tree();
    environment.install(&[demo("1.0"), other()]).0.unwrap();
    let python = environment.scheme.python();
    let pip = |arguments: &[&str]| {
        run(platform::pip().args(["--disable-pip-version-check", "--python"]).arg(&python).args(arguments))
    };
    if pip(&["--version"]).is_none() {
        println!("skipped: no pip here");
    } else {
        assert!(pip(&["check"]).unwrap().contains("No broken requirements"));
        let listed = pip(&["list", "--format", "freeze"]).unwrap();
        assert!(listed.contains("demo==1.0") && listed.contains("other==1.0"), "{listed}");
        pip(&["uninstall", "--yes", "demo", "other"]).unwrap();
        assert_eq!(environment.titles(), [""; 0]);
        assert_same(&files(environment.tree()), &files(empty.clone()));
        environment.install(&[demo("1.0"), other()]).0.unwrap();
    }
    let uv = |arguments: &[&str]| {
        run(Command::new("uv").args(["pip", "--offline"]).args(arguments).arg("--python").arg(&python))
    };
    if run(Command::new("uv").arg("--version")).is_none() {
        println!("skipped: no uv here");
        return;
    }
    uv(&["check"]).unwrap();
    assert!(uv(&["list"]).unwrap().contains("demo"));
    uv(&["uninstall", "demo", "other"]).unwrap();
    assert_same(&files(environment.tree()), &files(empty));
}

#[test]
fn hostile_wheels_are_refused_and_change_nothing() {
    let Some(environment) = TestEnvironment::new() else { return };
    let builder = || WheelBuilder::new("evil", "1.0");
    let hostile = [
        builder().data("scripts", &format!("python3{EXE_SUFFIX}"), "#!/bin/sh\n").build(),
        builder().data("data", &format!("{}/PYTHON{EXE_SUFFIX}", platform::scripts()), "x").build(),
        builder().data("data", "pyvenv.cfg", "home = /evil\n").build(),
        builder().data("data", ".torchfix/transaction/journal", "{}").build(),
        builder().data("etc", "passwd", "x").build(),
        builder().entry_point("console_scripts", "../evil", "a:b").build(),
        builder().entry_point("console_scripts", "python", "a:b").build(),
        builder().entry_point("console_scripts", "evil", "a:b();import os").build(),
    ];
    let before = environment.tree();
    for wheel in hostile {
        let error = environment.install(&[demo("1.0"), wheel]).0.unwrap_err();
        assert!(matches!(error, InstallError::Refused { .. }), "{error:?}");
        assert_eq!((error.exit_status(), error.code()), (ExitStatus::Refused, "install.refused"));
        assert_same(&environment.tree(), &before);
    }
}

#[test]
fn a_hostile_record_removes_nothing_that_is_not_its_own() {
    let Some(environment) = TestEnvironment::new() else { return };
    let outside = environment.folder.path().join("precious");
    fs_err::create_dir(&outside).unwrap();
    fs_err::write(outside.join("file"), "precious").unwrap();
    environment.install(&[other(), demo("1.0")]).0.unwrap();
    #[cfg(unix)]
    fs_err::os::unix::fs::symlink(&outside, environment.site("way_out")).unwrap();
    fs_err::write(environment.site("mine.txt"), "mine").unwrap();
    let record = environment.site("demo-1.0.dist-info/RECORD");
    let depth = environment.scheme.purelib.strip_prefix(environment.root()).unwrap().components().count();
    let up = "../".repeat(depth);
    let listed = format!(
        "{}{up}../precious/file,,\n{},,\nway_out/file,,\n{up}pyvenv.cfg,,\n{up}{}/python{EXE_SUFFIX},,\nshared/other.py,,\nshared,,\n..,,\n../..,,\n{up}..,,\n",
        fs_err::read_to_string(&record).unwrap(),
        outside.join("file").display(),
        platform::scripts(),
    );
    fs_err::write(&record, listed).unwrap();
    let (applied, warnings) = environment.install(&[other()]);
    applied.unwrap();
    assert!(warnings.len() >= 5, "{warnings:?}");
    assert_eq!(fs_err::read_to_string(outside.join("file")).unwrap(), "precious");
    for kept in ["mine.txt", "shared/other.py", "shared/__init__.py"] {
        assert!(environment.site(kept).is_file(), "{kept}");
    }
    assert!(environment.run("python", &["-c", "import shared.other"]).is_some());
    assert!(!environment.site("demo").exists());
}

#[test]
fn what_two_wheels_bring_and_what_was_there_is_told() {
    let Some(environment) = TestEnvironment::new() else { return };
    fs_err::create_dir(environment.site("a")).unwrap();
    fs_err::write(environment.site("a/stray.py"), "stray").unwrap();
    let first = WheelBuilder::new("first", "1").file("a/both.py", "first").file("a/stray.py", "first").build();
    let second = WheelBuilder::new("second", "1").file("a/both.py", "second").build();
    let (applied, warnings) = environment.install(&[first, second]);
    applied.unwrap();
    assert_eq!(fs_err::read_to_string(environment.site("a/both.py")).unwrap(), "second");
    assert_eq!(fs_err::read_to_string(environment.site("a/stray.py")).unwrap(), "first");
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("first and second both bring") && warnings[1].contains("stray.py"), "{warnings:?}");
}

#[test]
fn an_interrupt_leaves_the_environment_as_it_was() {
    let Some(environment) = TestEnvironment::new() else { return };
    environment.install(&[demo("1.0")]).0.unwrap();
    let before = environment.tree();
    let options =
        ApplyOptions { link_mode: LinkMode::Copy, interrupted: Arc::new(AtomicBool::new(true)), unsettles: false };
    let error = environment.install_with(&[demo("2.0")], &options).0.unwrap_err();
    assert_eq!(error.exit_status(), ExitStatus::Interrupted);
    assert_same(&environment.tree(), &before);
}

#[test]
fn a_plan_for_an_environment_that_has_changed_is_not_carried_out() {
    let Some(environment) = TestEnvironment::new() else { return };
    let wheel = demo("1.0");
    let plan = environment.plan(&[locked(&wheel)]);
    environment.install(&[other()]).0.unwrap();
    let before = environment.tree();
    let unpacked = [unpack(&wheel, environment.folder.path())];
    let stale = apply(&plan, &unpacked, &environment.scheme, &ApplyOptions::default(), &());
    assert!(matches!(stale, Err(InstallError::StalePlan { .. })), "{stale:?}");
    assert_same(&environment.tree(), &before);
}

#[test]
fn what_was_staged_when_the_process_ended_is_cleared_away() {
    let Some(environment) = TestEnvironment::new() else { return };
    let before = environment.tree();
    let staged = environment.root().join(".torchfix/transaction/new/lib");
    fs_err::create_dir_all(&staged).unwrap();
    fs_err::write(staged.join("half"), "half").unwrap();
    recover(environment.root(), &AtomicBool::new(false), &()).unwrap();
    assert!(!environment.root().join(".torchfix/transaction").exists());
    assert_same(&environment.tree(), &before);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_or_read_only_disk_leaves_the_environment_as_it_was() {
    let Some(environment) = TestEnvironment::new() else { return };
    let mount = environment.folder.path().join("small");
    fs_err::create_dir(&mount).unwrap();
    let mounted = run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(&mount));
    if mounted.is_none() {
        println!("skipped: mounting a small file system takes root");
        return;
    }
    let _unmount = Unmount(mount.clone());
    let small = TestEnvironment::on(tempfile::tempdir().unwrap(), &mount.join("venv")).unwrap();
    small.install(&[demo("1.0")]).0.unwrap();
    let before = small.tree();
    let large = WheelBuilder::new("large", "1.0").noise("large/blob", 4 << 20).build();
    let full = small.install(&[demo("2.0"), large]).0.unwrap_err();
    assert!(matches!(full, InstallError::DiskFull(_)), "{full:?}");
    assert_eq!(full.exit_status(), ExitStatus::FileSystem);
    assert_same(&small.tree(), &before);
    run(Command::new("mount").args(["-o", "remount,ro"]).arg(&mount)).unwrap();
    let read_only = small.install(&[demo("2.0")]).0.unwrap_err();
    assert!(matches!(read_only, InstallError::ReadOnly(_)), "{read_only:?}");
    assert_eq!(small.environment.probe_writable().unwrap_err().exit_status(), ExitStatus::FileSystem);
    assert_eq!(read_only.exit_status(), ExitStatus::FileSystem);
    assert_same(&small.tree(), &before);
}

#[cfg(target_os = "linux")]
struct Unmount(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl Drop for Unmount {
    fn drop(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(&self.0));
    }
}
