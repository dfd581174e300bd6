//! Runs the random cases, on every core, and shrinks the first that fails.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::case::Case;
use super::compare::{Outcome, check, check_again, check_without};
use super::random::case;

/// How many cases are tried, and which one is the first: set to look further than CI does.
const CASES: &str = "TORCHFIX_ORACLE_CASES";
const FIRST: &str = "TORCHFIX_ORACLE_FIRST";
const DEFAULT_CASES: u64 = 10_000;

/// Cases that failed once; they are tried first.
const REGRESSIONS: &str = include_str!("regressions.txt");

#[test]
fn random_machines_and_catalogs() {
    let (count, first) = (setting(CASES).unwrap_or(DEFAULT_CASES), setting(FIRST).unwrap_or(0));
    let lines = REGRESSIONS.lines().filter(|line| !line.starts_with('#'));
    let kept = lines.filter_map(|line| line.split_whitespace().next()).map(|number| number.parse().unwrap());
    let numbers: Vec<u64> = kept.chain(first..first + count).collect();
    let (next, stop, solved) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicUsize::new(0));
    let failure: Mutex<Option<String>> = Mutex::default();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed)
                    && let Some(number) = numbers.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    match try_case(*number) {
                        Ok(Outcome::Solved) => {
                            solved.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(Outcome::Refused) => {}
                        Err(fault) => {
                            stop.store(true, Ordering::Relaxed);
                            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
                        }
                    }
                }
            });
        }
    });
    if let Some(fault) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        panic!("{fault}");
    }
    let (solved, seconds) = (solved.into_inner(), start.elapsed().as_secs_f64());
    println!("{} cases, {solved} with a solution, {seconds:.1} s", numbers.len());
    // Cases that all come to nothing would prove nothing.
    assert!(solved * 3 > numbers.len(), "only {solved} of {} cases have a solution", numbers.len());
}

#[allow(clippy::disallowed_methods, reason = "how long a test runs is no setting of the program's")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn try_case(number: u64) -> Result<Outcome, String> {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let mut tree = case().new_tree(&mut runner).unwrap();
    let fault = match all(&tree.current(), number) {
        Ok(outcome) => return Ok(outcome),
        Err(fault) => fault,
    };
    let mut smallest = (tree.current(), fault);
    let mut tries = 0;
    if tree.simplify() {
        while tries < 2000 {
            tries += 1;
            let smaller = tree.current();
            let more = match all(&smaller, number) {
                Ok(_) => tree.complicate(),
                Err(fault) => {
                    smallest = (smaller, fault);
                    tree.simplify()
                }
            };
            if !more {
                break;
            }
        }
    }
    let (case, fault) = smallest;
    Err(format!("case {number} (add it to regressions.txt): {fault}\n{case:?}"))
}

/// Everything that must hold of a case; what takes long of some.
fn all(case: &Case, number: u64) -> Result<Outcome, String> {
    let outcome = check(case)?;
    if number.is_multiple_of(8) {
        check_again(case)?;
    }
    if case.needs.len() > 1 {
        check_without(case, usize::try_from(number).unwrap() % case.needs.len(), outcome)?;
    }
    Ok(outcome)
}
