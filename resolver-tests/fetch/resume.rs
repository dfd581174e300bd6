//! Stopped at any byte, and run again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use torchfix::vocab::{Diagnostic as _, ExitStatus};

use super::setup::{Meter, Setup, assert_same_tree, large_wheel};
use crate::support::server::{Fault, Resource, Times};
use crate::support::wheels::BuiltWheel;

/// Stops a first run when so much has arrived; how much that was.
fn stop_at(setup: &mut Setup, wheel: &BuiltWheel, limit: u64) -> u64 {
    let interrupted = Arc::new(AtomicBool::new(false));
    let meter = Meter { limit: Some(limit), interrupted: Arc::clone(&interrupted), ..Meter::default() };
    setup.options.interrupted = interrupted;
    let error = setup.obtain_with(&[setup.locked(wheel)], &meter).unwrap_err();
    assert_eq!(error.exit_status(), ExitStatus::Interrupted);
    assert_eq!(setup.names("wheels-v1").len(), 0);
    setup.options.interrupted = Arc::default();
    meter.arrived.load(Ordering::SeqCst)
}

#[test]
fn stopped_at_many_points_little_is_fetched_again() {
    let wheel = large_wheel();
    let size = wheel.bytes.len() as u64;
    for part in 1..20 {
        let mut setup = Setup::new(&[&wheel], |site| site);
        let arrived = stop_at(&mut setup, &wheel, size * part / 20);
        let unpacked = setup.obtain_one(&wheel).unwrap();
        assert_same_tree(&unpacked, &wheel);
        let again = (arrived + unpacked.bytes_fetched).saturating_sub(size);
        // The window, what came since the last checkpoint, a deflate block, and the tail.
        let bound = setup.options.fetch.window + setup.options.checkpoint + (64 << 10) + (8 << 10) + (64 << 10);
        assert!(again <= bound, "after {arrived} of {size} bytes {again} were fetched again, more than {bound}");
    }
}

#[test]
fn stopped_again_and_again_it_still_ends() {
    let wheel = large_wheel();
    let mut setup = Setup::new(&[&wheel], |site| site);
    for _ in 0..4 {
        stop_at(&mut setup, &wheel, 600_000);
    }
    assert_same_tree(&setup.obtain_one(&wheel).unwrap(), &wheel);
}

#[test]
fn staged_files_count_only_when_they_are_what_they_should_be() {
    let wheel = large_wheel();
    let size = wheel.bytes.len() as u64;
    for damage in ["big/__init__.py", "big/lib/mixed.so"] {
        let mut setup = Setup::new(&[&wheel], |site| site);
        stop_at(&mut setup, &wheel, size * 6 / 10);
        let staging = setup.cache.dir().join("staging-v1").join(wheel.sha256.to_string());
        assert!(staging.join("checkpoint.json").exists());
        let file = staging.join("tree").join(damage);
        let mut bytes = fs_err::read(&file).unwrap();
        bytes[7] ^= 1;
        fs_err::write(&file, bytes).unwrap();
        let unpacked = setup.obtain_one(&wheel).unwrap();
        assert_same_tree(&unpacked, &wheel);
        assert_eq!(unpacked.bytes_fetched, size, "nothing that was staged could be trusted");
    }
}

#[test]
fn a_checkpoint_that_lies_costs_a_download_and_no_more() {
    let wheel = large_wheel();
    let mut setup = Setup::new(&[&wheel], |site| site);
    stop_at(&mut setup, &wheel, wheel.bytes.len() as u64 / 2);
    let file = setup.cache.dir().join("staging-v1").join(wheel.sha256.to_string()).join("checkpoint.json");
    let text = fs_err::read_to_string(&file).unwrap();
    let mut lie: serde_json::Value = serde_json::from_str(&text).unwrap();
    let hasher = lie["hasher"].as_str().unwrap().to_owned();
    // A hash state that is one, but not the right one.
    lie["hasher"] = format!("{}{}", if hasher.starts_with('0') { "1" } else { "0" }, &hasher[1..]).into();
    fs_err::write(&file, lie.to_string()).unwrap();
    assert_same_tree(&setup.obtain_one(&wheel).unwrap(), &wheel);

    for rubbish in ["", "{}", "[1,2", "{\"version\":1}"] {
        stop_and_spoil(&wheel, rubbish);
    }
}

fn stop_and_spoil(wheel: &BuiltWheel, rubbish: &str) {
    let mut setup = Setup::new(&[wheel], |site| site);
    stop_at(&mut setup, wheel, wheel.bytes.len() as u64 / 2);
    let file = setup.cache.dir().join("staging-v1").join(wheel.sha256.to_string()).join("checkpoint.json");
    fs_err::write(&file, rubbish).unwrap();
    assert_same_tree(&setup.obtain_one(wheel).unwrap(), wheel);
}

#[test]
fn a_file_that_changed_between_runs_is_begun_anew() {
    let wheel = large_wheel();
    let mut setup = Setup::new(&[&wheel], |site| site);
    let path = format!("/{}", wheel.file_name);
    let mut other = wheel.bytes.clone();
    other[1_000_000] ^= 1;
    setup.server.replace(&path, Resource::new(other, "application/octet-stream"));
    stop_at(&mut setup, &wheel, wheel.bytes.len() as u64 / 3);
    setup.server.replace(&path, Resource::new(wheel.bytes.clone(), "application/octet-stream"));
    let unpacked = setup.obtain_one(&wheel).unwrap();
    assert_same_tree(&unpacked, &wheel);
    assert_eq!(unpacked.bytes_fetched, wheel.bytes.len() as u64);
}

#[test]
fn without_a_validator_the_hash_finds_out_and_it_is_fetched_once_more() {
    let wheel = large_wheel();
    let path = format!("/{}", wheel.file_name);
    let mut setup = Setup::new(&[&wheel], |site| site.fault(&path, Fault::NoValidators, Times::Always));
    let mut other = wheel.bytes.clone();
    // A byte of the stored file, so that only a checksum can tell.
    let at = other.len() - 600_000;
    other[at] ^= 1;
    setup.server.replace(&path, Resource::new(other, "application/octet-stream"));
    stop_at(&mut setup, &wheel, wheel.bytes.len() as u64 - 560_000);
    setup.server.replace(&path, Resource::new(wheel.bytes.clone(), "application/octet-stream"));
    assert_same_tree(&setup.obtain_one(&wheel).unwrap(), &wheel);
}

#[test]
fn a_stop_before_the_first_byte_is_an_interruption() {
    let wheel = large_wheel();
    let mut setup = Setup::new(&[&wheel], |site| site);
    setup.options.interrupted = Arc::new(AtomicBool::new(true));
    let error = setup.obtain_one(&wheel).unwrap_err();
    assert_eq!((error.code(), error.exit_status()), ("wheel.interrupted", ExitStatus::Interrupted));
}
