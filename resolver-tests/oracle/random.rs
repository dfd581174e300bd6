//! Random machines, requests and requirements; small numbers stand for what is plain, so that a case shrinks to it.

use proptest::collection::vec;
use proptest::prelude::*;

use super::case::Case;
use super::facts::{Facts, Pair};
use super::knowledge::{KINDS, knowledge};
use super::machine::{Machine, System};
use super::need::{Marker, Need};
use super::stock::stock;
use super::version::{Spec, Version};

/// Names of distributions that need one another.
pub const NAMES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
/// Their versions.
const VERSIONS: [&str; 4] = ["2.0", "1.0", "3.0", "1.5"];

/// Any case.
pub fn case() -> impl Strategy<Value = Case> {
    let number = prop_oneof![1 => Just(0), 6 => 1..KINDS];
    let asked = (
        vec(need(), 1..4),
        prop_oneof![3 => vec(need(), 0), 1 => vec(need(), 1)],
        prop_oneof![5 => Just(0), 1 => 1..12_usize],
    );
    (number, machine(), stock_genes(), asked).prop_map(
        |(number, machine, stock_genes, (needs, constraints, variant))| {
            let knowledge = knowledge(number);
            let facts = &knowledge.facts;
            let machine = machine.of(facts);
            let mut needs: Vec<Need> = needs.iter().map(|need| need.of_request(facts)).collect();
            needs.dedup();
            let constraints: Vec<Need> =
                constraints.iter().map(|need| Need { extra: None, ..need.of_request(facts) }).collect();
            let variant = variant.checked_sub(1).map(|place| VARIANTS[place % VARIANTS.len()].to_owned());
            let asked: Vec<&str> = needs.iter().map(|need| need.name.as_str()).collect();
            let (wheels, pytorch_down) = (stock(&stock_genes, facts, &machine, &asked), stock_genes.down);
            Case { knowledge: knowledge.clone(), machine, wheels, pytorch_down, needs, constraints, variant }
        },
    )
}

const VARIANTS: [&str; 9] = ["cpu", "cu126", "cu128", "cu130", "cu118", "cu129", "cu132", "cu124", "cu134"];

#[derive(Debug, Clone)]
struct MachineGenes {
    system: usize,
    glibc: usize,
    driver: (usize, usize),
    driver_cuda: usize,
    cards: Vec<usize>,
    python: usize,
}

const GLIBCS: [u64; 5] = [39, 35, 28, 27, 17];
const PYTHONS: [(u64, bool); 8] =
    [(12, false), (11, false), (13, false), (10, false), (14, false), (13, true), (14, true), (9, false)];
const CARDS: [Pair; 32] = [
    (8, 6),
    (8, 9),
    (7, 5),
    (12, 0),
    (9, 0),
    (8, 0),
    (6, 1),
    (7, 0),
    (8, 6),
    (12, 0),
    (5, 2),
    (10, 0),
    (8, 9),
    (6, 0),
    (3, 7),
    (5, 0),
    (8, 7),
    (12, 1),
    (10, 3),
    (7, 5),
    (9, 0),
    (8, 0),
    (3, 5),
    (3, 0),
    (5, 3),
    (6, 2),
    (7, 2),
    (10, 1),
    (11, 0),
    (13, 0),
    (8, 6),
    (7, 5),
];

fn machine() -> impl Strategy<Value = MachineGenes> {
    let card = 0..CARDS.len();
    let cards = prop_oneof![
        11 => vec(card.clone(), 1),
        3 => vec(card.clone(), 0),
        5 => vec(card.clone(), 2),
        1 => vec(card, 3),
    ];
    let driver = (prop_oneof![1 => 0..14_usize, 1 => 0..80_usize], 0..4_usize);
    (0..20_usize, 0..GLIBCS.len(), driver, 0..40_usize, cards, 0..PYTHONS.len()).prop_map(
        |(system, glibc, driver, driver_cuda, cards, python)| MachineGenes {
            system,
            glibc,
            driver,
            driver_cuda,
            cards,
            python,
        },
    )
}

impl MachineGenes {
    fn of(&self, facts: &Facts) -> Machine {
        let (python, free_threaded) = PYTHONS[self.python];
        let mut machine = Machine {
            system: match self.system {
                0..=11 => System::Linux,
                12..=18 => System::Windows,
                _ => System::Macos,
            },
            arm: matches!(self.system, 7 | 8 | 19),
            glibc: GLIBCS[self.glibc],
            wsl: matches!(self.system, 9..=11),
            driver: None,
            driver_cuda: None,
            cards: self.cards.iter().map(|card| CARDS[*card]).collect(),
            python,
            free_threaded,
        };
        if machine.system == System::Macos {
            machine.cards.clear();
            return machine;
        }
        let windows = machine.windows_driver();
        machine.driver = driver(facts, windows, self.driver);
        let lines = [(11, 8), (12, 4), (12, 6), (12, 8), (13, 0)];
        machine.driver_cuda = lines.get(self.driver_cuda.wrapping_sub(30)).copied();
        machine
    }
}

/// A driver at a floor, just below or just above one; newest floors first.
fn driver(facts: &Facts, windows: bool, (place, side): (usize, usize)) -> Option<Version> {
    let branches = facts.branches.iter().map(|(branch, _)| Version { numbers: vec![*branch, 10], label: None });
    let mut floors: Vec<Version> = facts.floors(windows).into_iter().cloned().chain(branches).collect();
    floors.sort_by(|a, b| b.cmp(a));
    floors.dedup();
    let mut driver = floors.get(place)?.clone();
    let last = driver.numbers.last_mut().unwrap();
    match side {
        1 => *last += 1,
        2 => match last.checked_sub(1) {
            Some(below) => *last = below,
            None => driver.numbers[0] -= 1,
        },
        _ => {}
    }
    Some(driver)
}

/// A requirement that is still without names.
#[derive(Debug, Clone)]
pub struct NeedGenes {
    target: usize,
    spec: usize,
    version: usize,
    extra: usize,
    marker: usize,
    of_extra: usize,
}

fn need() -> impl Strategy<Value = NeedGenes> {
    (0..16_usize, 0..20_usize, 0..12_usize, 0..12_usize, 0..16_usize, 0..8_usize).prop_map(
        |(target, spec, version, extra, marker, of_extra)| NeedGenes { target, spec, version, extra, marker, of_extra },
    )
}

impl NeedGenes {
    /// As the user writes it: torch mostly.
    fn of_request(&self, facts: &Facts) -> Need {
        let name = match self.target {
            0..=5 => "torch",
            6..=7 => "torchvision",
            8 => "torchaudio",
            target => NAMES[target % NAMES.len()],
        };
        let mut need = Need { of_extra: None, ..self.of(name, facts) };
        if let (Spec::Is(version), "torch") = (&mut need.spec, name)
            && self.extra < 6
        {
            *version = version.labelled(VARIANTS[self.extra]);
        }
        if super::case::FAMILY.contains(&name) {
            need.extra = None;
        }
        need
    }

    /// As a distribution writes it; `of_torch` when it is torch.
    pub fn of_metadata(&self, facts: &Facts, of_torch: bool) -> Need {
        let name = match self.target {
            0 | 1 if !of_torch => "torch",
            2 if !of_torch => "torchvision",
            target => NAMES[target % NAMES.len()],
        };
        let mut need = self.of(name, facts);
        if super::case::FAMILY.contains(&name) {
            need.extra = None;
        }
        need
    }

    fn of(&self, name: &str, facts: &Facts) -> Need {
        let newest_first = |place: usize| &facts.releases[facts.releases.len() - 1 - place % facts.releases.len()];
        let version = |place: usize| match name {
            "torch" => newest_first(place).version.clone(),
            "torchvision" => newest_first(place).torchvision.clone(),
            "torchaudio" => newest_first(place).torchaudio.clone(),
            _ => Version::read(VERSIONS[place % VERSIONS.len()]),
        };
        let this = version(self.version);
        let spec = match self.spec {
            0..=8 => Spec::Any,
            9 | 10 => Spec::AtLeast(this),
            11 | 12 => Spec::Below(this),
            13 | 14 => Spec::Is(this),
            15 => Spec::IsNot(this),
            16 => Spec::AtMost(this),
            17 => Spec::Above(this),
            18 => Spec::Series(this.numbers[..2.min(this.numbers.len() - 1)].to_vec()),
            _ => {
                let other = version(self.version + 1);
                if other < this { Spec::Between(other, this) } else { Spec::Compatible(this) }
            }
        };
        let marker = match self.marker {
            11 => Marker::OnWindows,
            12 => Marker::OnLinux,
            13 => Marker::OnX86,
            14 => Marker::PythonFrom(12),
            15 => Marker::PythonBelow(12),
            _ => Marker::Everywhere,
        };
        let extra = |gene: usize| match gene {
            6 => Some("x".to_owned()),
            7 => Some("y".to_owned()),
            _ => None,
        };
        Need { name: name.to_owned(), extra: extra(self.extra), spec, marker, of_extra: extra(self.of_extra) }
    }
}

/// A version of a distribution: what it needs, and its Python.
type VersionGenes = (Vec<NeedGenes>, usize);

/// What the indexes hold.
#[derive(Debug, Clone)]
pub struct StockGenes {
    /// How many of 256 wheels are not there.
    pub holes: usize,
    /// Which ones.
    pub seed: u64,
    /// How many releases are newer than what is known.
    pub newer: usize,
    pub down: bool,
    /// What torch needs, in some of its releases.
    pub of_torch: Vec<NeedGenes>,
    /// By place in [`NAMES`].
    pub distributions: Vec<Vec<VersionGenes>>,
}

fn stock_genes() -> impl Strategy<Value = StockGenes> {
    let version = (prop_oneof![1 => vec(need(), 0), 2 => vec(need(), 1), 1 => vec(need(), 2)], 0..10_usize);
    let distributions = vec(vec(version, 1..4), NAMES.len());
    let holes = prop_oneof![3 => Just(0_usize), 4 => Just(25), 1 => Just(90)];
    let newer = prop_oneof![3 => Just(0_usize), 1 => Just(1), 1 => Just(2)];
    (holes, 0..1000_u64, newer, 0..20_usize, vec(need(), 0..2), distributions).prop_map(
        |(holes, seed, newer, down, of_torch, distributions)| StockGenes {
            holes,
            seed,
            newer,
            down: down == 19,
            of_torch,
            distributions,
        },
    )
}

/// The versions that `distributions` gives a name, newest first or not.
pub fn version_of(place: usize) -> Version {
    Version::read(VERSIONS[place])
}
