//! What servers do to a download, and what becomes of it.

use std::sync::Mutex;
use std::time::Duration;

use torchfix::http::TwinHosts;
use torchfix::progress::Reporter;
use torchfix::vocab::{Diagnostic as _, ExitStatus};

use super::setup::{Setup, assert_same_tree, large_wheel, locked};
use crate::support::server::{Fault, Times};
use crate::support::wheels::{BuiltWheel, WheelBuilder};

fn path(wheel: &BuiltWheel) -> String {
    format!("/{}", wheel.file_name)
}

fn with_fault(wheel: &BuiltWheel, fault: Fault, times: Times) -> Setup {
    Setup::new(&[wheel], |site| site.fault(&path(wheel), fault, times))
}

#[test]
fn a_large_wheel_comes_in_ranges_and_every_byte_once() {
    let wheel = large_wheel();
    let setup = Setup::new(&[&wheel], |site| site);
    let unpacked = setup.obtain_one(&wheel).unwrap();
    assert_same_tree(&unpacked, &wheel);
    assert_eq!(unpacked.sha256, wheel.sha256);
    assert_eq!(unpacked.dist_info, "big-2.9.1+cu128.dist-info");
    assert_eq!(unpacked.bytes_fetched, wheel.bytes.len() as u64);
    assert_eq!(setup.server.bytes_sent(), wheel.bytes.len() as u64);
    assert!(setup.server.requests().len() > 20, "parallel ranges of 64 KiB were asked for");
    let tool = unpacked.files.iter().find(|file| file.path == "big/bin/tool").unwrap();
    assert!(tool.executable && tool.record_hash.starts_with("sha256="));
    let record = unpacked.files.iter().find(|file| file.path.ends_with("RECORD")).unwrap();
    assert_eq!(record.record_hash, "");
    assert_eq!(setup.names("staging-v1"), Vec::<String>::new());
}

#[test]
fn a_small_wheel_takes_one_request_and_results_keep_the_order() {
    let wheels: Vec<BuiltWheel> = (0..5)
        .map(|number| WheelBuilder::new("demo", &format!("1.{number}")).noise("demo/x", number * 2000).build())
        .collect();
    let setup = Setup::new(&wheels.iter().collect::<Vec<_>>(), |site| site);
    let locked: Vec<_> = wheels.iter().map(|wheel| setup.locked(wheel)).collect();
    let unpacked = setup.obtain(&locked).unwrap();
    assert_eq!(setup.server.requests().len(), 5);
    for (unpacked, wheel) in unpacked.iter().zip(&wheels) {
        assert_same_tree(unpacked, wheel);
    }
}

#[test]
fn a_flipped_byte_anywhere_is_a_hash_mismatch() {
    let wheel = large_wheel();
    let length = wheel.bytes.len() as u64;
    // In a local header, in data, in a stored file, in the central directory, in the end record.
    for offset in [3, 200_000, length / 2, length - 300_000, length - 200, length - 3] {
        let setup = with_fault(&wheel, Fault::FlipByte(offset), Times::Always);
        let error = setup.obtain_one(&wheel).unwrap_err();
        assert_eq!(
            (error.code(), error.exit_status()),
            ("fetch.hash-mismatch", ExitStatus::Refused),
            "at {offset}: {error}"
        );
        assert!(error.to_string().contains(&wheel.sha256.to_string()), "{error}");
        assert_eq!((setup.names("wheels-v1").len(), setup.names("staging-v1").len()), (0, 0));
    }
}

#[test]
fn what_breaks_off_goes_on_where_it_stopped() {
    let wheel = large_wheel();
    for (fault, times) in [
        (Fault::Truncate(10_000), 3),
        (Fault::status(503), 3),
        (Fault::Stall(5_000, Duration::from_secs(2)), 3),
        (Fault::WrongContentRange, 2),
    ] {
        let setup = with_fault(&wheel, fault.clone(), Times::First(times));
        let unpacked = setup.obtain_one(&wheel).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_same_tree(&unpacked, &wheel);
        assert_eq!(unpacked.bytes_fetched, wheel.bytes.len() as u64, "{fault:?}");
    }
}

#[test]
fn every_range_may_break_off_as_long_as_something_comes() {
    let wheel = large_wheel();
    let setup = with_fault(&wheel, Fault::Truncate(20_000), Times::Always);
    assert_same_tree(&setup.obtain_one(&wheel).unwrap(), &wheel);
}

#[test]
fn what_does_not_pass_is_a_network_error() {
    let wheel = large_wheel();
    for fault in [Fault::Truncate(0), Fault::status(503), Fault::status(404), Fault::WrongContentRange] {
        let setup = with_fault(&wheel, fault.clone(), Times::Always);
        let error = setup.obtain_one(&wheel).unwrap_err();
        assert_eq!(error.exit_status(), ExitStatus::Network, "{fault:?}: {error}");
        assert_eq!(setup.names("wheels-v1").len(), 0);
    }
}

#[test]
fn a_server_without_ranges_will_do() {
    for wheel in [large_wheel(), WheelBuilder::new("demo", "1.0").file("demo.py", "x = 1\n").build()] {
        let setup = with_fault(&wheel, Fault::IgnoreRanges, Times::Always);
        let unpacked = setup.obtain_one(&wheel).unwrap();
        assert_same_tree(&unpacked, &wheel);
        assert_eq!(unpacked.bytes_fetched, wheel.bytes.len() as u64);
        assert_eq!(setup.names("staging-v1").len(), 0);

        let setup = Setup::new(&[&wheel], |site| {
            site.fault(&path(&wheel), Fault::IgnoreRanges, Times::Always).fault(
                &path(&wheel),
                Fault::Truncate(100),
                Times::First(1),
            )
        });
        assert_same_tree(&setup.obtain_one(&wheel).unwrap(), &wheel);
    }
}

/// Keeps what was said.
#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Reporter for Warnings {
    fn warning(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

#[test]
fn the_hash_decides_where_the_index_gives_another_size() {
    let large = large_wheel();
    let small = WheelBuilder::new("demo", "1.0").noise("demo/x", 3000).build();
    for wheel in [&large, &small] {
        let size = wheel.bytes.len() as u64;
        for told in [Some(size + 1000), Some(size - 1000), Some(1), Some(size * 3), None] {
            let setup = Setup::new(&[wheel], |site| site);
            let mut locked = setup.locked(wheel);
            locked.size = told;
            let warnings = Warnings::default();
            let unpacked = setup.obtain_with(&[locked], &warnings).unwrap();
            assert_same_tree(&unpacked[0], wheel);
            assert_eq!(warnings.0.into_inner().unwrap().len(), usize::from(told.is_some()), "{told:?}");
        }
    }
}

#[test]
fn a_file_that_is_cut_short_says_how_much_is_missing() {
    let mut wheel = large_wheel();
    let whole = wheel.bytes.len();
    wheel.bytes.truncate(whole - 1234);
    let setup = Setup::new(&[&wheel], |site| site);
    let mut locked = setup.locked(&wheel);
    locked.size = Some(whole as u64);
    let error = setup.obtain(&[locked]).unwrap_err();
    assert_eq!(error.code(), "fetch.hash-mismatch");
    assert!(error.to_string().contains("1234 of"), "{error}");
}

#[test]
fn a_file_that_changes_meanwhile_is_begun_anew() {
    let (old, new) = (large_wheel(), large_wheel());
    let setup = Setup::new(&[&old], |site| site);
    let other = crate::support::server::Resource::new(vec![7; old.bytes.len() + 5], "application/octet-stream");
    let meter = Swap { server: &setup.server, path: path(&new), other: Mutex::new(Some(other)) };
    let error = setup.obtain_with(&[setup.locked(&old)], &meter).unwrap_err();
    // What the server has now is not what was locked; the message speaks of that, not of ranges.
    assert_eq!(error.code(), "fetch.hash-mismatch", "{error}");
    assert_eq!((setup.names("wheels-v1").len(), setup.names("staging-v1").len()), (0, 0));
}

/// Replaces the file as soon as something of it has arrived.
struct Swap<'a> {
    server: &'a crate::support::server::Server,
    path: String,
    other: Mutex<Option<crate::support::server::Resource>>,
}

impl Reporter for Swap<'_> {
    fn download_advanced(&self, _task: torchfix::progress::TaskId, _bytes: u64) {
        if let Some(other) = self.other.lock().unwrap().take() {
            self.server.replace(&self.path, other);
        }
    }
}

#[test]
fn the_other_host_of_a_pair_steps_in() {
    let wheel = large_wheel();
    let mut setup = Setup::new(&[&wheel], |site| site);
    setup.options.fetch.twins = TwinHosts::new(vec!["127.0.0.1".to_owned(), "127.0.0.2".to_owned()]);
    let mut elsewhere = setup.server.url(&path(&wheel));
    elsewhere.set_host(Some("127.0.0.2")).unwrap();
    // Nobody listens on 127.0.0.2.
    let unpacked = setup.obtain(&[locked(&wheel, elsewhere)]).unwrap();
    assert_same_tree(&unpacked[0], &wheel);
}

#[test]
fn local_wheels_go_the_same_way() {
    let wheel = large_wheel();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(&wheel.file_name);
    fs_err::write(&file, &wheel.bytes).unwrap();
    let setup = Setup::new(&[], |site| site);
    let url = torchfix::vocab::Url::from_file_path(&file).unwrap();
    let unpacked = setup.obtain(&[locked(&wheel, url)]).unwrap();
    assert_same_tree(&unpacked[0], &wheel);
}

#[test]
fn without_a_hash_the_hashes_of_record_must_hold() {
    let wheel = large_wheel();
    let setup = Setup::new(&[&wheel], |site| site);
    let mut locked = setup.locked(&wheel);
    locked.sha256 = None;
    let unpacked = setup.obtain(&[locked.clone()]).unwrap();
    assert_eq!(unpacked[0].sha256, wheel.sha256);
    assert_same_tree(&unpacked[0], &wheel);
    // Once more: the end of it tells that it is the same.
    let again = setup.obtain(&[locked]).unwrap();
    assert_eq!((&again[0].root, &again[0].files), (&unpacked[0].root, &unpacked[0].files));
    assert!(again[0].bytes_fetched < 70_000, "{} bytes were fetched again", again[0].bytes_fetched);

    let good = String::from_utf8(super::setup::tree_of(&wheel)["big-2.9.1+cu128.dist-info/RECORD"].clone()).unwrap();
    let hash = good.lines().next().unwrap().split(',').nth(1).unwrap();
    let wrong = WheelBuilder::new("demo", "1.0").file("demo.py", "x = 1\n");
    let dist = "demo-1.0.dist-info";
    let record = format!("demo.py,{hash},6\n{dist}/METADATA,{hash},\n{dist}/WHEEL,{hash},\n{dist}/RECORD,,\n");
    let wrong = wrong.record(&record).build();
    let setup = Setup::new(&[&wrong], |site| site);
    let mut locked = setup.locked(&wrong);
    locked.sha256 = None;
    let error = setup.obtain(&[locked]).unwrap_err();
    assert_eq!((error.code(), error.exit_status()), ("wheel.record", ExitStatus::Refused));
    // With a hash of the whole wheel RECORD's hashes are not computed.
    setup.obtain_one(&wrong).unwrap();
}
