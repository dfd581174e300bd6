//! The solver ends, whatever distributions require.

use std::sync::atomic::Ordering;

use torchfix::resolve::{Resolution, ResolveError};
use torchfix::vocab::{Diagnostic as _, ExitStatus};

use super::allocations::peak;
use super::forest::{Forest, Refused};

fn titles(resolution: Result<Resolution, ResolveError<Refused>>) -> Vec<String> {
    resolution.unwrap().wheels.iter().map(torchfix::lock::LockedWheel::title).collect()
}

#[track_caller]
fn assert_too_hard(answer: Result<Resolution, ResolveError<Refused>>, part: &str) {
    let error = answer.unwrap_err();
    assert_eq!((error.code(), error.exit_status()), ("resolve.too-hard", ExitStatus::NoSolution), "{error}");
    assert!(error.to_string().contains(part), "{error}");
    assert!(error.hints()[0].contains("==VERSION"), "{:?}", error.hints());
}

#[test]
fn extras_and_requirements_may_go_in_circles() {
    let forest = Forest::default()
        .one("a", "Provides-Extra: x\nRequires-Dist: a[y]; extra == 'x'\nRequires-Dist: a[x]; extra == 'y'\nProvides-Extra: y\nRequires-Dist: b[x]; extra == 'x'")
        .one("b", "Provides-Extra: x\nRequires-Dist: a[x]; extra == 'x'\nRequires-Dist: b\nRequires-Dist: c")
        .one("c", "Requires-Dist: b>=1\nRequires-Dist: a[x,y]");
    assert_eq!(titles(forest.solve(&["a[x]"])), ["a 1", "b 1", "c 1"]);
}

#[test]
fn a_long_chain_of_extras_is_followed_to_its_end() {
    let extras = (0..300).map(|n| format!("Provides-Extra: x{n}\nRequires-Dist: a[x{}]; extra == 'x{n}'\n", n + 1));
    let forest = Forest::default().one("a", &extras.collect::<String>());
    assert_eq!(titles(forest.solve(&["a[x0]"])), ["a 1"]);
}

#[test]
fn of_100_000_versions_the_newest_is_read_and_no_other() {
    let forest = Forest::default().project("many", 100_000, |_| Some(String::new()));
    assert_eq!(titles(forest.solve(&["many"])), ["many 100000"]);
    assert_eq!(forest.metadata.load(Ordering::Relaxed), 1);
}

#[test]
fn ten_thousand_requirements_are_too_many() {
    let requires: String = (0..10_000).map(|number| format!("Requires-Dist: d{number}")).collect::<Vec<_>>().join("\n");
    let forest =
        (0..10_000).fold(Forest::default().one("wide", &requires), |forest, n| forest.one(&format!("d{n}"), ""));
    assert_too_hard(forest.solve(&["wide"]), "more than 2000 distributions");
    assert!(forest.pages.load(Ordering::Relaxed) <= 2_100, "{:?}", forest.pages);
    assert!(forest.metadata.load(Ordering::Relaxed) <= 2_100, "{:?}", forest.metadata);
}

#[test]
fn a_chain_without_end_is_left() {
    let chain = (0..5_000).fold(Forest::default(), |forest, number| {
        forest.one(&format!("d{number}"), &format!("Requires-Dist: d{}==1", number + 1))
    });
    assert_too_hard(chain.solve(&["d0"]), "more than 2000 distributions");
}

#[test]
fn a_thousand_versions_that_all_conflict_are_a_proof() {
    let forest = Forest::default()
        .project("many", 1_000, |version| Some(format!("Requires-Dist: other=={}", version + 1)))
        .one("other", "");
    let error = forest.solve(&["many"]).unwrap_err();
    assert_eq!(error.code(), "resolve.no-solution", "{error}");
    assert!(!error.explanation().is_empty());
}

#[test]
fn conflicts_without_end_are_left_after_the_same_work_each_time() {
    let forest = || {
        Forest::default()
            .project("many", 20_000, |version| Some(format!("Requires-Dist: other=={}", version + 1)))
            .one("other", "")
    };
    let (first, second) = (forest(), forest());
    let (answer, bytes) = peak(|| first.solve(&["many"]));
    assert_too_hard(answer, "`many` was chosen anew");
    assert!(bytes < 500 << 20, "{} MiB", bytes >> 20);
    let _ = second.solve(&["many"]);
    assert_eq!(first.metadata.load(Ordering::Relaxed), second.metadata.load(Ordering::Relaxed));
}

/// Each pigeon sits in one of the holes, and no two in the same: exponential for whoever reasons one choice at a time.
fn pigeons(pigeons: usize, holes: usize) -> Forest {
    (0..pigeons).fold(Forest::default(), |forest, pigeon| {
        forest.project(&format!("pigeon{pigeon}"), holes, move |hole| {
            let others = (0..pigeons).filter(|other| *other != pigeon);
            Some(others.map(|other| format!("Requires-Dist: pigeon{other}!={hole}")).collect::<Vec<_>>().join("\n"))
        })
    })
}

fn flock(count: usize) -> Vec<String> {
    (0..count).map(|pigeon| format!("pigeon{pigeon}")).collect()
}

#[test]
fn a_few_pigeons_find_no_place_and_many_are_not_waited_for() {
    let solve = |count: usize| {
        let (forest, names) = (pigeons(count, count - 1), flock(count));
        forest.solve(&names.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(solve(5).unwrap_err().code(), "resolve.no-solution");
    assert_too_hard(solve(12), "no end is in sight");
    let (forest, names) = (pigeons(12, 12), flock(12));
    assert_eq!(titles(forest.solve(&names.iter().map(String::as_str).collect::<Vec<_>>())).len(), 12);
}

#[test]
fn a_version_with_broken_metadata_is_passed_over_and_said() {
    let forest =
        Forest::default().project("demo", 5, |version| (version < 3).then(String::new)).broken_links("demo", 7);
    let resolution = forest.solve(&["demo"]).unwrap();
    assert_eq!(resolution.wheels[0].title(), "demo 2");
    let [links, metadata] = resolution.warnings.as_slice() else { panic!("{:?}", resolution.warnings) };
    assert!(links.starts_with("7 files of `demo` on `https://index.example/` cannot be used"), "{links}");
    assert_eq!(
        metadata,
        "demo 5 was passed over, as were 2 older versions: the metadata of `demo-5-py3-none-any.whl` is not valid"
    );
    let all = Forest::default().project("demo", 5, |_| None).solve(&["demo"]).unwrap_err();
    assert_eq!(all.code(), "resolve.no-solution");
}
