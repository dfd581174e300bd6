//! Disks that are full or may not be written, each a file system of its own, as Linux lets root mount them.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;

use super::faults::Faulty;
use super::support::site::tree;
use super::support::skipped;

/// Mounts a small file system for a test; `None` where that is not allowed.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn small(path: &'a Path, megabytes: usize) -> Option<Self> {
        fs_err::create_dir_all(path).unwrap();
        let options = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        if !mounted {
            skipped("a file system cannot be mounted here");
        }
        mounted.then_some(Self(path))
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

#[test]
fn a_full_cache_disk_is_30() {
    let Some(faulty) = Faulty::new(None) else { return };
    let cache = faulty.place.cache();
    let Some(_mount) = Mount::small(&cache, 8) else { return };
    let error = faulty.install().assert_status(30).json();
    assert_eq!(error["code"], "install.no-room");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains(cache.to_str().unwrap()) && message.contains("24 MB are needed, 8.4 MB are free"),
        "{message}"
    );
    assert!(!faulty.place.venv().exists());
    assert!(faulty.place.server.bytes_sent() < 1_000_000, "nothing was fetched");
}

#[test]
fn a_full_environment_disk_is_30_and_leaves_it_as_it_was() {
    let Some(faulty) = Faulty::new(None) else { return };
    let small = faulty.place.folder().join("small");
    let Some(_mount) = Mount::small(&small, 8) else { return };
    let install = |arguments: &[&str]| {
        faulty.place.run(&[&["install", "--venv", "small/env", "--check", "none", "--json"], arguments].concat())
    };
    install(&["demo-dependency"]).assert_status(0);
    let before = tree(&small);
    faulty.place.server.forget_requests();
    let error = install(&["torch"]).assert_status(30).json();
    assert_eq!(error["code"], "install.no-room");
    assert!(error["message"].as_str().unwrap().contains("small/env"), "{error:#}");
    assert!(faulty.place.server.bytes_sent() < 1_000_000, "nothing was fetched");
    assert_eq!(before, tree(&small));
}

#[test]
fn an_environment_that_may_not_be_written_is_said_before_anything_is_fetched() {
    let Some(faulty) = Faulty::new(None) else { return };
    let small = faulty.place.folder().join("small");
    let Some(_mount) = Mount::small(&small, 100) else { return };
    let install = |name: &str| faulty.place.run(&["install", name, "--venv", "small/env", "--check", "none", "--json"]);
    install("demo-dependency").assert_status(0);
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(&small).output().unwrap();
    assert!(remounted.status.success(), "{remounted:?}");
    faulty.place.server.forget_requests();
    let before = tree(&small);
    let ran = install("torch");
    assert!(matches!(ran.status, 30 | 40), "{ran:#?}");
    assert_eq!(tree(&small), before);
    let requests = faulty.place.server.requests_of(&faulty.path);
    assert!(requests.iter().all(|request| request.method == "HEAD"), "torch was not fetched: {requests:#?}");
}
