//! What the indexes of a case list: the builds that are known, with holes, and newer ones; and what needs what.

use std::collections::HashSet;

use super::facts::Facts;
use super::knowledge::Dice;
use super::machine::{Machine, System};
use super::need::Need;
use super::random::{NAMES, StockGenes, version_of};
use super::version::{Spec, Version};
use super::wheel::{ForPlatform, ForPython, Place, Wheel};

/// The wheels of a case in which these names are asked for.
pub fn stock(genes: &StockGenes, facts: &Facts, machine: &Machine, asked: &[&str]) -> Vec<Wheel> {
    let mut stock =
        Stock { genes, facts, machine, wheels: Vec::new(), listed: HashSet::new(), vision: false, audio: false };
    stock.distributions();
    let needs = stock.wheels.iter().flat_map(|wheel| &wheel.needs).map(|need| need.name.as_str());
    let names: HashSet<&str> = needs.chain(asked.iter().copied()).collect();
    (stock.vision, stock.audio) = (names.contains("torchvision"), names.contains("torchaudio"));
    stock.family();
    stock.wheels
}

struct Stock<'a> {
    genes: &'a StockGenes,
    facts: &'a Facts,
    machine: &'a Machine,
    wheels: Vec<Wheel>,
    listed: HashSet<(Place, String)>,
    vision: bool,
    audio: bool,
}

/// What the wheels of one build of torch have in common.
#[derive(Clone, Copy)]
struct Build<'a> {
    /// Its directory; `None` on PyPI.
    variant: Option<&'a str>,
    known: bool,
    seed: u64,
}

impl Build<'_> {
    fn place(&self) -> Place {
        self.variant.map_or(Place::Pypi, |variant| Place::Directory(variant.to_owned()))
    }

    fn label(&self, version: &Version) -> Version {
        self.variant.map_or_else(|| version.clone(), |label| version.labelled(label))
    }
}

impl Stock<'_> {
    fn add(&mut self, wheel: Wheel) {
        if self.listed.insert((wheel.place.clone(), wheel.file_name.clone())) {
            self.wheels.push(wheel);
        }
    }

    /// Whether a wheel is missing; the same wheel always is or is not.
    fn hole(&self, of: u64, what: u64) -> bool {
        number(of, what, 256) < self.genes.holes
    }

    fn distributions(&mut self) {
        for (name, versions) in NAMES.iter().zip(&self.genes.distributions) {
            for (place, (needs, python)) in versions.iter().enumerate() {
                let wheel = Wheel::of(Place::Pypi, name, version_of(place), ForPython::Any, ForPlatform::Any);
                let needs = needs.iter().map(|need| need.of_metadata(self.facts, false)).collect();
                let requires_python = match python {
                    5 => Some(Spec::AtLeast(Version::read("3.11"))),
                    6 | 7 => Some(Spec::Below(Version::read("3.13"))),
                    _ => None,
                };
                self.add(Wheel { needs, requires_python, on_page: *python == 7, ..wheel });
            }
        }
    }

    fn family(&mut self) {
        let (facts, platform) = (self.facts, self.machine.platform());
        for release in &facts.releases {
            let companions = (&release.torchvision, &release.torchaudio);
            let own = release.builds.iter().filter(|build| build.platform == platform && self.is_for(release, build));
            for variant in own.map(|build| build.variant.as_str()).collect::<Vec<_>>() {
                self.release(&release.version, companions, Some(variant));
            }
            let of_pypi = release.pypi.get(&platform).and_then(|variant| {
                release.builds.iter().find(|build| build.platform == platform && build.variant == *variant)
            });
            if of_pypi.is_some_and(|build| self.is_for(release, build)) {
                self.release(&release.version, companions, None);
            }
        }
        let newest = facts.newest();
        for step in 0..self.genes.newer {
            let mut numbers = newest.version.numbers.clone();
            if step == 0 {
                numbers[2] += 1;
            } else {
                numbers = vec![numbers[0], numbers[1] + 1, 0];
            }
            let version = Version { numbers, label: None };
            let vision = Version { numbers: vec![0, 99, step as u64], label: None };
            let alive = newest.builds.iter().filter(|build| build.platform == platform && self.is_for(newest, build));
            let variants: Vec<&str> = alive.map(|build| build.variant.as_str()).chain(["cu134"]).collect();
            for (place, variant) in variants.into_iter().enumerate() {
                if number(self.genes.seed, (place * 2 + step) as u64, 2) == 0 {
                    self.release(&version, (&vision, &newest.torchaudio), Some(variant));
                }
            }
            if newest.pypi.contains_key(&platform) {
                self.release(&version, (&vision, &newest.torchaudio), None);
            }
        }
    }

    /// Whether a release is known to have wheels of a build for this Python, or may have.
    fn is_for(&self, release: &super::facts::Release, build: &super::facts::Build) -> bool {
        let Machine { python, free_threaded, .. } = self.machine;
        let python = format!("3.{python}{}", if *free_threaded { "t" } else { "" });
        let pythons = build.pythons.as_ref().unwrap_or(&release.pythons);
        pythons.is_empty() || pythons.contains(&python)
    }

    /// One build of torch, with its companions.
    fn release(&mut self, torch: &Version, (vision, audio): (&Version, &Version), variant: Option<&str>) {
        // The PyTorch index has wheels for macOS too, without a label; that of PyPI is the same.
        if variant.is_some() && self.machine.system == System::Macos {
            return;
        }
        let page = seed(self.genes.seed, variant.unwrap_or("pypi"));
        // A whole page that is missing.
        if self.hole(page, 1) && self.hole(page, 2) {
            return;
        }
        let release = torch.numbers.iter().fold(page, |seed, number| seed.wrapping_mul(1009).wrapping_add(*number));
        let build = Build { variant, known: self.facts.release(torch).is_some(), seed: release };
        let of_release = seed(self.genes.seed, &torch.to_string());
        let needs = self.genes.of_torch.iter().zip(0..).filter(|(_, place)| number(of_release, *place, 2) == 0);
        let needs = needs.map(|(need, _)| need.of_metadata(self.facts, true)).collect();
        self.wheels_of("torch", build.label(torch), &build, needs);
        let of_this = if number(page, 3, 2) == 0 { build.label(torch) } else { torch.clone() };
        let pin = vec![Need::of("torch", Spec::Is(of_this))];
        if self.vision {
            self.wheels_of("torchvision", build.label(vision), &build, pin.clone());
        }
        if self.audio {
            let shared = self.facts.releases.iter().filter(|release| release.torchaudio == *audio).count() > 1;
            let unpinned = shared || !build.known;
            self.wheels_of("torchaudio", build.label(audio), &build, if unpinned { Vec::new() } else { pin });
        }
    }

    fn wheels_of(&mut self, name: &str, version: Version, build: &Build, needs: Vec<Need>) {
        let of = seed(build.seed, name);
        if self.hole(of, 1) {
            return;
        }
        let platform = self.platform(number(of, 2, 3) == 0 && build.known);
        let foreign = number(of, 3, 8) == 0;
        if foreign {
            let elsewhere = match platform {
                ForPlatform::Windows => ForPlatform::Linux(false, 28),
                _ => ForPlatform::Windows,
            };
            let own = ForPython::Only(self.machine.python, self.machine.free_threaded);
            self.add(Wheel::of(build.place(), name, version.clone(), own, elsewhere));
            self.add(Wheel::of(build.place(), name, version.clone(), ForPython::Only(8, false), platform));
        }
        if !self.hole(of, 4) {
            let own = ForPython::Only(self.machine.python, self.machine.free_threaded);
            self.add(Wheel { needs, ..Wheel::of(build.place(), name, version, own, platform) });
        }
    }

    /// Tags promise less than is needed, at times; those of releases that nobody knows must be believed.
    fn platform(&self, promises_less: bool) -> ForPlatform {
        match self.machine.system {
            System::Linux => ForPlatform::Linux(self.machine.arm, if promises_less { 17 } else { 28 }),
            System::Windows => ForPlatform::Windows,
            System::Macos => ForPlatform::Macos,
        }
    }
}

fn seed(start: u64, text: &str) -> u64 {
    text.bytes()
        .fold(start ^ 0xcbf2_9ce4_8422_2325, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn number(seed: u64, what: u64, limit: usize) -> usize {
    Dice(seed.wrapping_add(what.wrapping_mul(0x9e37_79b9))).below(limit)
}
