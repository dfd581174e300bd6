//! Killed at random moments, and the same command again.
//!
//! How much is fetched again is held by the tests of downloads, and on real wheels by `scripts/kill-loop`.
#![allow(clippy::cast_possible_truncation, reason = "half of a hash is as random")]

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use super::support::site::{Layout, Workplace, dependency, python_tag, torch, tree};

/// torch's wheel carries this many bytes that do not compress, and as many that do.
const SIZE: usize = 16_000_000;

/// The environment without what differs from run to run: paths of the environment itself, and what Python compiles.
fn environment(place: &Workplace) -> Vec<(String, u64, String)> {
    let folder = place.folder().to_str().unwrap().as_bytes().to_vec();
    let own = |path: &str| {
        fs_err::read(place.venv().join(path))
            .is_ok_and(|bytes| bytes.len() < 1 << 20 && bytes.windows(folder.len()).any(|part| part == folder))
    };
    let mut files = tree(&place.venv());
    files.retain(|(path, ..)| !path.contains("__pycache__") && !path.starts_with(".torchfix"));
    for file in &mut files {
        if own(&file.0) || file.0.ends_with("/RECORD") {
            (file.1, file.2) = (0, "holds its own path".to_owned());
        }
    }
    files
}

#[test]
fn killed_at_random_moments_it_ends_right() {
    let Some(tag) = python_tag() else { return };
    let site =
        || Layout::default().torch("cpu", vec![torch("2.9.1+cpu", &tag, SIZE)]).simple(vec![dependency()]).site();
    let Some(undisturbed) = Workplace::new(site()) else { return };
    let begun = Instant::now();
    undisturbed.run(&["install", "--check", "none"]).assert_status(0);
    let whole = begun.elapsed();
    let expected = environment(&undisturbed);

    // The hasher's keys are random: the only randomness the standard library has.
    let random = RandomState::new();
    // A start takes long under Wine, where these run for Windows.
    let rounds = if cfg!(windows) { 8 } else { 20 };
    for round in 0..rounds {
        let part = f64::from(random.hash_one(round) as u32) / f64::from(u32::MAX);
        let place = Workplace::new(site()).unwrap();
        let mut child = place.command(&["install", "--check", "none", "-q"]).spawn().unwrap();
        std::thread::sleep(Duration::from_secs_f64(whole.as_secs_f64() * part));
        child.kill().unwrap();
        child.wait().unwrap();
        let again = place.run(&["install", "--check", "none"]);
        assert_eq!(again.status, 0, "round {round}, killed after {part} of {whole:?}: {again:#?}");
        assert_eq!(environment(&place), expected, "round {round}, killed after {part} of {whole:?}");
        let staged = fs_err::read_dir(place.cache().join("staging-v1")).unwrap().count();
        assert_eq!(staged, 0, "nothing half-done is left in the cache");
    }
}
