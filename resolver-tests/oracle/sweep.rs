//! Every card that is known, with every driver on both systems: never a build without code for the card or above the
//! driver's floor, and never the CPU.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;
use torchfix::resolve::{Resolution, ResolveError, resolve};
use torchfix::vocab::{Diagnostic as _, ExitStatus};

use super::case::{Case, Knowledge};
use super::facts::{Card, Facts, Pair};
use super::knowledge::knowledge;
use super::machine::{Machine, System};
use super::need::Need;
use super::search::candidates;
use super::shelf::{Down, Shelf};
use super::version::{Spec, Version};
use super::wheel::{ForPlatform, ForPython, Place, Wheel};

/// The branches that are tried.
const BRANCHES: std::ops::RangeInclusive<u64> = 452..=600;
/// Fewer solves are no sweep.
const AT_LEAST: usize = 20_000;

/// The version of torch, its variant, and where it lies.
type Choice = (Version, String, Place);

/// A system with its wheels, and what is right for each driver and capability.
struct Side {
    case: Case,
    drivers: Vec<Version>,
    right: HashMap<(usize, Pair), Option<Choice>>,
}

#[test]
fn every_card_with_every_driver() {
    let knowledge = knowledge(0);
    let sides = [System::Linux, System::Windows].map(|system| side(&knowledge, system));
    let cards = &knowledge.facts.cards;
    let (next, solves, served) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let start = Instant::now();
    let shelves = sides.each_ref().map(|side| Shelf::of(&side.case.wheels, false));
    let work = || {
        let mut faults = Vec::new();
        while let Some(card) = cards.get(next.fetch_add(1, Ordering::Relaxed)) {
            for (side, shelf) in sides.iter().zip(&shelves) {
                for place in 0..side.drivers.len() {
                    solves.fetch_add(1, Ordering::Relaxed);
                    match try_card(side, shelf, place, card) {
                        Ok(true) => {
                            served.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(false) => {}
                        Err(fault) => {
                            let Machine { system, .. } = side.case.machine;
                            faults.push(format!("{system:?}, driver {}, {}: {fault}", side.drivers[place], card.name));
                        }
                    }
                }
            }
        }
        faults
    };
    let faults: Vec<String> = std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let (solves, served, seconds) = (solves.into_inner(), served.into_inner(), start.elapsed().as_secs_f64());
    #[allow(clippy::cast_precision_loss, reason = "a rate for a person")]
    let rate = solves as f64 / seconds;
    println!(
        "{solves} solves of {} cards in {seconds:.1} s, {rate:.0} a second; {served} end with a build",
        cards.len()
    );
    let shown: Vec<&String> = faults.iter().take(20).collect();
    assert!(faults.is_empty(), "{} of {solves} are wrong:\n{shown:#?}", faults.len());
    assert!(solves >= AT_LEAST, "only {solves} solves");
    assert!(served * 2 > solves, "only {served} of {solves} end with a build");
}

#[test]
fn a_name_alone_tells_the_card_or_nothing() {
    let knowledge = knowledge(0);
    let machine = |name: &str| {
        let facts = bare(System::Linux).facts(&[json!({"name": format!("NVIDIA {name}")})]);
        Machine::read(&facts, &knowledge.manifests).gpus.unwrap()[0].compute_capability
    };
    for card in &knowledge.facts.cards {
        let found = machine(&card.name).map(|found| (u64::from(found.major), u64::from(found.minor)));
        let of_that_name = knowledge.facts.cards.iter().filter(|other| plain(&other.name) == plain(&card.name));
        let capabilities: Vec<Pair> = of_that_name.map(|other| other.capability).collect();
        match found {
            Some(found) => assert!(capabilities.contains(&found), "{} is taken for {found:?}", card.name),
            None => assert!(capabilities.iter().any(|other| *other != card.capability), "{} is not known", card.name),
        }
    }
}

/// A name in the words that tell cards apart.
fn plain(name: &str) -> String {
    let name = name.to_lowercase().replace("geforce", "").replace("max-q", "mobile");
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

fn bare(system: System) -> Machine {
    Machine {
        system,
        arm: false,
        glibc: 39,
        wsl: false,
        driver: None,
        driver_cuda: None,
        cards: Vec::new(),
        python: 12,
        free_threaded: false,
    }
}

fn side(knowledge: &Arc<Knowledge>, system: System) -> Side {
    let facts = &knowledge.facts;
    let mut case = Case {
        knowledge: knowledge.clone(),
        machine: bare(system),
        wheels: wheels(facts),
        pytorch_down: false,
        needs: vec![Need::of("torch", Spec::Any)],
        constraints: Vec::new(),
        variant: None,
    };
    let drivers = drivers(facts, system == System::Windows);
    let mut right = HashMap::new();
    for (place, driver) in drivers.iter().enumerate() {
        for card in &facts.cards {
            case.machine.driver = Some(driver.clone());
            case.machine.cards = vec![card.capability];
            right.entry((place, card.capability)).or_insert_with(|| {
                let best = candidates(&case).into_iter().next()?;
                Some((best.wheel.version.clone(), best.variant, best.wheel.place.clone()))
            });
        }
    }
    Side { case, drivers, right }
}

/// A driver of every branch; both sides of each floor where a branch has several.
fn drivers(facts: &Facts, windows: bool) -> Vec<Version> {
    let floors: Vec<&Version> = facts.floors(windows).into_iter().collect();
    let branches = facts.branches.iter().map(|(branch, _)| *branch).chain([*BRANCHES.start(), *BRANCHES.end()]);
    let branches: BTreeSet<u64> = branches.chain(floors.iter().map(|floor| floor.numbers[0])).collect();
    let mut drivers = BTreeSet::new();
    for branch in branches.into_iter().filter(|branch| BRANCHES.contains(branch)) {
        let own: BTreeSet<&Version> = floors.iter().copied().filter(|floor| floor.numbers[0] == branch).collect();
        if own.is_empty() {
            drivers.insert(Version { numbers: vec![branch, 10], label: None });
        }
        if own.len() > 1 {
            drivers.extend(own.iter().filter_map(|floor| below(floor)));
        }
        drivers.extend(own.into_iter().cloned());
    }
    drivers.into_iter().collect()
}

/// The driver just below, of the same branch.
fn below(driver: &Version) -> Option<Version> {
    let (last, rest) = driver.numbers.split_last().filter(|(_, rest)| !rest.is_empty())?;
    Some(Version { numbers: rest.iter().copied().chain([last.checked_sub(1)?]).collect(), label: None })
}

/// Every build that is known for the two systems.
fn wheels(facts: &Facts) -> Vec<Wheel> {
    let mut wheels = Vec::new();
    for release in &facts.releases {
        for (platform, tag) in
            [("linux-x86_64", ForPlatform::Linux(false, 28)), ("windows-x86_64", ForPlatform::Windows)]
        {
            let mut add = |place: Place, version: Version| {
                wheels.push(Wheel::of(place, "torch", version, ForPython::Only(12, false), tag));
            };
            for build in release.builds.iter().filter(|build| build.platform == platform) {
                add(Place::Directory(build.variant.clone()), release.version.labelled(&build.variant));
            }
            if release.pypi.contains_key(platform) {
                add(Place::Pypi, release.version.clone());
            }
        }
    }
    wheels
}

/// Solves for one card and driver; whether a build came of it.
fn try_card(side: &Side, shelf: &Shelf, place: usize, card: &Card) -> Result<bool, String> {
    let manifests = &side.case.knowledge.manifests;
    let machine = Machine { driver: Some(side.drivers[place].clone()), ..side.case.machine.clone() };
    let pci = card.pci.get(place % card.pci.len().max(1)).map(|id| format!("10de:{id}"));
    let facts = machine.facts(&[json!({"name": format!("NVIDIA {}", card.name), "pci_id": pci})]);
    let machine = Machine::read(&facts, manifests);
    let unknown = machine.gpus.as_ref().unwrap()[0].compute_capability.is_none();
    let solved = resolve(&machine, &side.case.request(), manifests, shelf, &[]);
    if unknown {
        return match solved {
            Err(ResolveError::CapabilityUnknown { .. }) if pci.is_none() => Ok(false),
            _ => Err(format!("its capability is not known, and {solved:?}")),
        };
    }
    match (solved, &side.right[&(place, card.capability)]) {
        (Ok(resolution), right) => {
            let chosen = chosen(&resolution);
            if chosen.as_ref() == right.as_ref() { Ok(true) } else { Err(format!("{chosen:?}, right is {right:?}")) }
        }
        (Err(error), None) => refused(&error).map(|()| false),
        (Err(error), Some(right)) => Err(format!("refused, right is {right:?}: {error}")),
    }
}

fn chosen(resolution: &Resolution) -> Option<Choice> {
    let torch = resolution.torch.as_ref()?;
    let wheel = resolution.wheels.iter().find(|wheel| wheel.name.as_ref() == "torch")?;
    let version = Version::read(&torch.version.to_string());
    Some((version, torch.variant.to_string(), Shelf::place(wheel.url.as_str())))
}

/// A refusal says why, and what would help.
fn refused(error: &ResolveError<Down>) -> Result<(), String> {
    let complete = error.exit_status() == ExitStatus::NoSolution
        && !error.explanation().is_empty()
        && error.hints().iter().any(|hint| hint.contains("--variant cpu"));
    if complete { Ok(()) } else { Err(format!("refused badly: {error}, {:?}", error.hints())) }
}
