//! Help, wrong usage, and the commands that only print.

use super::support::server::Site;
use super::support::site::{Ran, Workplace};

fn workplace() -> Option<Workplace> {
    Workplace::new(Site::new())
}

fn run(arguments: &[&str]) -> Option<Ran> {
    workplace().map(|place| place.run(arguments))
}

#[test]
fn help_and_versions_are_answers() {
    let Some(help) = run(&["install", "--help"]) else { return };
    help.assert_status(0);
    assert!(help.stdout.contains("--check <HOW>") && help.stderr.is_empty(), "{help:?}");
    let version = run(&["version", "--json"]).unwrap().json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(run(&["--version"]).unwrap().stdout.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_is_2_and_an_object_with_json() {
    let Some(ran) = run(&["instal"]) else { return };
    ran.assert_status(2);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("unrecognized subcommand"), "{ran:?}");
    for arguments in [&["instal", "--json"][..], &["install", "--format", "json", "--check", "maybe"]] {
        let ran = run(arguments).unwrap();
        ran.assert_status(2);
        assert_eq!(
            (&ran.json()["schema"], &ran.json()["code"]),
            (&"torchfix.error/1".into(), &"usage.arguments".into())
        );
    }
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let Some(place) = workplace() else { return };
    for (arguments, part) in [
        (&["install", "torch=2"][..], "torch=2"),
        (&["install", "--variant", "cuda"], "--variant"),
        (&["install", "--index-url", "ftp://host/"], "ftp"),
        (&["install", "-r", "gone.txt"], "gone.txt"),
        (&["install", "--driver", "new"], "new"),
        (&["install", "--platform", "amiga"], "amiga"),
        (&["install", "--facts", "gone.json"], "gone.json"),
    ] {
        let ran = place.run(arguments);
        ran.assert_status(2);
        assert!(ran.stderr.contains(part), "{arguments:?}: {}", ran.stderr);
    }
    assert!(!place.venv().exists());
    assert!(place.server.requests().is_empty(), "nothing was asked of an index");
}

/// Windows has no device that is full.
#[cfg(unix)]
#[test]
fn an_answer_that_is_lost_is_30() {
    let Some(place) = workplace() else { return };
    let Ok(full) = fs_err::OpenOptions::new().write(true).open("/dev/full") else {
        return super::support::skipped("no /dev/full");
    };
    let ran = Ran::of(&place.command(&["version"]).stdout(full.into_file()).output().unwrap());
    assert!(ran.assert_status(30).stderr.contains("stdout"), "{ran:?}");
}

#[test]
fn an_environment_that_was_named_must_be_there() {
    let Some(place) = workplace() else { return };
    place.run(&["detect", "--venv", "nowhere"]).assert_status(40);
}

#[test]
fn documents_are_printed() {
    let Some(man) = run(&["man"]) else { return };
    man.assert_status(0);
    assert!(man.stdout.contains(".TH") && man.stdout.contains("torchfix\\-install"), "{}", &man.stdout[..300]);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["completions", shell]).unwrap();
        assert!(script.assert_status(0).stdout.contains("torchfix"), "{shell}");
    }
}

#[test]
fn the_cache_is_where_it_is_said_to_be() {
    let Some(place) = workplace() else { return };
    let dir = place.run(&["cache", "dir"]);
    assert_eq!(dir.assert_status(0).stdout.trim(), place.cache().to_str().unwrap());
    let named = place.run(&["cache", "dir", "--cache-dir", "elsewhere", "--json"]).json();
    assert_eq!(named["dir"], place.folder().join("elsewhere").to_str().unwrap());
    assert_eq!(place.run(&["cache", "size", "--json"]).json()["bytes"], 0);
    assert_eq!(place.run(&["cache", "clean", "--json"]).json()["removed_wheels"], 0);
}

#[test]
fn detect_tells_the_facts_in_the_contract_s_shape() {
    let Some(place) = workplace() else { return };
    let facts = place.run(&["detect", "--json", "--driver", "572.83", "--gpu", "RTX 5090"]);
    let facts = facts.assert_status(0).json();
    let keys: Vec<&str> = facts.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected =
        vec!["schema", "os", "os_version", "arch", "glibc", "wsl", "driver", "gpus", "python", "sources", "notes"];
    if cfg!(windows) {
        expected.push("windows");
    }
    assert_eq!(keys, expected);
    assert_eq!(facts["driver"]["version"], "572.83");
    assert_eq!(facts["gpus"][0]["compute_capability"], "12.0");
    assert_eq!(facts["sources"]["gpus"], "override");
    assert!(facts["python"]["version"].is_string());
    fs_err::write(place.folder().join("facts.json"), facts.to_string()).unwrap();
    let again = place.run(&["detect", "--json", "--facts", "facts.json"]).json();
    assert_eq!(again["gpus"], facts["gpus"]);
}

#[test]
fn a_visible_that_names_no_card_is_refused() {
    let Some(place) = workplace() else { return };
    let machine = ["--gpu", "RTX 4090", "--driver", "580.95.05", "--platform", "manylinux_2_28_x86_64"];
    for visible in ["3", "a", "GPU-0000"] {
        let words = ["install", "--dry-run", "--python-version", "3.12", "--visible", visible];
        let ran = place.run(&[&words[..], &machine].concat());
        ran.assert_status(2);
        assert!(ran.stderr.contains(&format!("`--visible {visible}` names no card")), "{}", ran.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_setting_that_is_no_text_is_not_passed_over() {
    use std::os::unix::ffi::OsStrExt as _;

    let Some(place) = workplace() else { return };
    let mut command = place.command(&["install", "--dry-run", "demo", "--gpu", "none"]);
    let ran =
        Ran::of(&command.env("PIP_INDEX_URL", std::ffi::OsStr::from_bytes(b"http://\xff/simple")).output().unwrap());
    ran.assert_status(2);
    assert!(ran.stderr.contains("PIP_INDEX_URL is not valid Unicode"), "{}", ran.stderr);
}
