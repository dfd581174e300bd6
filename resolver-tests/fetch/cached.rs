//! Wheels that are in the cache, or seem to be.

use std::time::{Duration, SystemTime};

#[cfg(target_os = "linux")]
use torchfix::vocab::{Diagnostic as _, ExitStatus};

#[cfg(target_os = "linux")]
use super::setup::tree_in;
use super::setup::{Setup, assert_same_tree, large_wheel};

#[test]
fn a_hit_asks_nobody_and_gives_the_same() {
    let wheel = large_wheel();
    let setup = Setup::new(&[&wheel], |site| site);
    let first = setup.obtain_one(&wheel).unwrap();
    setup.server.forget_requests();
    let mut second = setup.obtain_one(&wheel).unwrap();
    assert_eq!((setup.server.requests().len(), second.bytes_fetched), (0, 0));
    second.bytes_fetched = first.bytes_fetched;
    assert_eq!(second, first);
}

#[test]
fn what_was_changed_in_the_cache_is_fetched_again() {
    let wheel = large_wheel();
    let setup = Setup::new(&[&wheel], |site| site);
    let root = setup.obtain_one(&wheel).unwrap().root;
    let record = "big-2.9.1+cu128.dist-info/RECORD";
    let spoil: [&dyn Fn(); 7] = [
        &|| fs_err::write(root.join("big/__init__.py"), "import bad.lib\n").unwrap(),
        &|| fs_err::write(root.join("big/__init__.py"), "longer than it was before").unwrap(),
        &|| fs_err::remove_file(root.join("big/empty")).unwrap(),
        &|| fs_err::remove_dir_all(&root).unwrap(),
        &|| fs_err::write(root.with_file_name("index"), "rubbish").unwrap(),
        &|| fs_err::remove_file(root.with_file_name("index")).unwrap(),
        &|| fs_err::write(root.join(record), "").unwrap(),
    ];
    for (number, spoil) in spoil.iter().enumerate() {
        spoil();
        setup.server.forget_requests();
        let unpacked = setup.obtain_one(&wheel).unwrap();
        assert_same_tree(&unpacked, &wheel);
        assert!(setup.server.bytes_sent() > 0, "change {number} was not noticed");
    }
}

#[test]
fn a_file_that_was_only_touched_is_hashed_once() {
    let wheel = large_wheel();
    let setup = Setup::new(&[&wheel], |site| site);
    let root = setup.obtain_one(&wheel).unwrap().root;
    let file = fs_err::OpenOptions::new().write(true).open(root.join("big/lib/mixed.so")).unwrap();
    file.file().set_modified(SystemTime::now() - Duration::from_secs(1000)).unwrap();
    let index = fs_err::read(root.with_file_name("index")).unwrap();
    setup.server.forget_requests();
    setup.obtain_one(&wheel).unwrap();
    assert_eq!(setup.server.requests().len(), 0);
    assert_ne!(fs_err::read(root.with_file_name("index")).unwrap(), index, "the time is noted anew");
}

#[test]
fn two_at_once_fetch_it_once() {
    let wheel = large_wheel();
    let setup = Setup::new(&[&wheel], |site| site);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..3).map(|_| scope.spawn(|| setup.obtain_one(&wheel).unwrap())).collect();
        for run in runs {
            assert_same_tree(&run.join().unwrap(), &wheel);
        }
    });
    assert_eq!(setup.server.bytes_sent(), wheel.bytes.len() as u64);
}

#[test]
fn the_same_wheel_twice_in_one_run_is_fetched_once() {
    let wheel = large_wheel();
    let setup = Setup::new(&[&wheel], |site| site);
    let both = setup.obtain(&[setup.locked(&wheel), setup.locked(&wheel)]).unwrap();
    assert_eq!(both[0].root, both[1].root);
    assert_eq!(setup.server.bytes_sent(), wheel.bytes.len() as u64);
}

#[test]
fn clean_empties_the_cache_and_it_still_serves() {
    let wheel = large_wheel();
    let setup = Setup::new(&[&wheel], |site| site);
    setup.obtain_one(&wheel).unwrap();
    assert_eq!(setup.cache.prune().unwrap().wheels, 0, "a whole wheel is of use");
    let size = setup.cache.size().unwrap();
    let swept = setup.cache.clean().unwrap();
    assert_eq!((swept.wheels, swept.bytes), (1, size));
    assert_eq!(setup.cache.size().unwrap(), 0);
    assert_same_tree(&setup.obtain_one(&wheel).unwrap(), &wheel);
}

/// A small file system in memory, until dropped.
#[cfg(target_os = "linux")]
struct Mounted(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl Mounted {
    /// `None` where this user may not mount.
    fn of_size(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder.path());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(folder))
    }
}

#[cfg(target_os = "linux")]
impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Needs a file system of its own, so root on Linux.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_leaves_nothing_half_done() {
    let wheel = large_wheel();
    // Too little for the download; too little for what comes out of it; enough until someone else fills it.
    for (size, filled) in [("1m", false), ("3m", false), ("3900k", true)] {
        let Some(disk) = Mounted::of_size(size) else {
            eprintln!("SKIPPED: a full disk needs the right to mount a tmpfs");
            return;
        };
        let mut setup = Setup::new(&[&wheel], |site| site);
        setup.cache = torchfix::wheel::Cache::open(&disk.0.path().join("cache")).unwrap();
        let locked = [setup.locked(&wheel)];
        let result = if filled {
            setup.obtain_with(&locked, &Fill(disk.0.path().join("filler")))
        } else {
            setup.obtain(&locked)
        };
        let error = result.unwrap_err();
        assert_eq!((error.code(), error.exit_status()), ("wheel.disk-full", ExitStatus::FileSystem), "{size}: {error}");
        assert!(error.to_string().contains("bytes"), "{error}");
        assert!(tree_in(&setup.cache.dir().join("wheels-v1")).is_empty());
    }
}

/// Writes a large file as soon as something has arrived.
#[cfg(target_os = "linux")]
struct Fill(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl torchfix::progress::Reporter for Fill {
    fn download_advanced(&self, _task: torchfix::progress::TaskId, _bytes: u64) {
        if !self.0.exists() {
            fs_err::write(&self.0, vec![1; 1 << 20]).unwrap();
        }
    }
}
