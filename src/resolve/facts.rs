//! What a proof takes from outside, gathered out of the solver's derivation and put in words.

use std::ops::Bound;

use pubgrub::External;
use version_ranges::Ranges;

use super::line::miss_in_words;
use super::provider::{Provider, Unusable};
use super::{ResolverPackage, ranges};
use crate::catalog::Pages;
use crate::vocab::{PackageName, Version};

pub(super) type Set = Ranges<Version>;

/// Something the proof takes from outside; what is alike about several versions is one.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// Nothing in a set can be chosen.
    None { package: ResolverPackage, set: Set },
    /// Versions need something; of each set of versions, in what versions.
    Needs { package: ResolverPackage, needs: ResolverPackage, each: Vec<(Set, Set)> },
    /// Versions cannot be used.
    Unusable { package: ResolverPackage, versions: Set, reason: Unusable },
}

impl Fact {
    /// The package whose versions it rules out by what they are.
    pub fn subject(&self) -> Option<&ResolverPackage> {
        match self {
            Fact::None { .. } => None,
            Fact::Needs { package, .. } | Fact::Unusable { package, .. } => Some(package),
        }
    }

    /// The packages it is about.
    pub fn packages(&self) -> impl Iterator<Item = &ResolverPackage> {
        let (first, second) = match self {
            Fact::None { package, .. } | Fact::Unusable { package, .. } => (package, None),
            Fact::Needs { package, needs, .. } => (package, Some(needs)),
        };
        std::iter::once(first).chain(second)
    }

    /// Whether it says what was asked for.
    pub fn is_request(&self) -> bool {
        matches!(self, Fact::Needs { package: ResolverPackage::Request, .. })
    }
}

/// The facts as they are gathered.
#[derive(Debug, Default)]
pub struct Facts(Vec<Fact>);

impl Facts {
    /// All of them.
    pub fn all(&self) -> &[Fact] {
        &self.0
    }

    /// Adds what the solver was told; the place of the fact that has it, where it is one.
    pub fn add(&mut self, external: &External<ResolverPackage, Set, Unusable>) -> Option<usize> {
        let fact = match external {
            External::NotRoot(..) => return None,
            External::NoVersions(package, set) => Fact::None { package: package.clone(), set: set.clone() },
            External::FromDependencyOf(package, versions, needs, set) => Fact::Needs {
                package: package.clone(),
                needs: needs.clone(),
                each: vec![(versions.clone(), set.clone())],
            },
            External::Custom(package, versions, reason) => {
                Fact::Unusable { package: package.clone(), versions: versions.clone(), reason: reason.clone() }
            }
        };
        let known = self.0.iter_mut().position(|known| join(known, &fact));
        Some(known.unwrap_or_else(|| {
            self.0.push(fact);
            self.0.len() - 1
        }))
    }
}

/// Makes `known` say what `fact` says as well, where they are alike.
fn join(known: &mut Fact, fact: &Fact) -> bool {
    match (known, fact) {
        (Fact::Needs { package, needs, each }, Fact::Needs { package: other, needs: same, each: more })
            if package == other && needs == same && (!needs.is_fact() || alike(each, more)) =>
        {
            for (versions, set) in more {
                match each.iter_mut().find(|(_, known)| known == set) {
                    Some((known, _)) => *known = known.union(versions),
                    None => each.push((versions.clone(), set.clone())),
                }
            }
            true
        }
        (
            Fact::Unusable { package, versions, reason },
            Fact::Unusable { package: other, versions: more, reason: same },
        ) if package == other && reason == same => {
            *versions = versions.union(more);
            true
        }
        (known, fact) => known == fact,
    }
}

fn alike(one: &[(Set, Set)], other: &[(Set, Set)]) -> bool {
    one.iter().map(|(_, set)| set).eq(other.iter().map(|(_, set)| set))
}

impl<P: Pages> Provider<'_, P> {
    /// Whether an index lists files of these versions, be it that none fits.
    pub(super) fn has_files_in(&self, package: &ResolverPackage, set: &Set) -> bool {
        let project = package.distribution().and_then(|name| self.projects.read(name));
        project.is_some_and(|project| project.versions.keys().any(|version| set.contains(version)))
    }

    /// A fact in words; `None` where it tells a reader nothing, and for what was asked, which is told together.
    pub(super) fn sentence(&self, fact: &Fact) -> Option<String> {
        match fact {
            _ if fact.is_request() => None,
            Fact::Needs { package, needs, .. }
                if package.distribution().is_some_and(|name| needs.distribution() == Some(name)) =>
            {
                None
            }
            Fact::Needs { package, needs, each } => {
                let versions = each.iter().fold(Ranges::empty(), |all, (versions, _)| all.union(versions));
                let versions = self.versions(package, &versions);
                Some(if needs.is_fact() {
                    format!("{versions} {}", self.needs_of_the_machine(needs, &each.first()?.1))
                } else {
                    let sets: Vec<Set> = each.iter().map(|(_, set)| set.clone()).collect();
                    self.needs(&versions, needs, &sets)
                })
            }
            Fact::Unusable { package, versions, reason } => {
                Some(format!("{} {reason}", self.versions(package, versions)))
            }
            Fact::None { package, .. } if package.is_fact() => None,
            Fact::None { package: ResolverPackage::Spelled(name, spelling), set } => {
                let project = self.projects.read(name);
                let same = project.as_ref().and_then(|project| project.versions.keys().find(|same| set.contains(same)));
                match same.map(ToString::to_string) {
                    Some(other) if other != *spelling => {
                        Some(format!("there is no {name}==={spelling}; it is written {other}"))
                    }
                    _ => self.none(name, set),
                }
            }
            Fact::None { package, set } => self.none(package.distribution()?, set),
        }
    }

    fn needs(&self, versions: &str, needs: &ResolverPackage, sets: &[Set]) -> String {
        let all = sets.iter().fold(Ranges::empty(), |all, set| all.union(set));
        if all.is_empty() {
            // Metadata never asks for nothing: a constraint left nothing over.
            return format!("{versions} needs another {needs} than the constraints allow");
        }
        let each =
            if sets.len() > 1 && sets.iter().all(|set| ranges::pinned(set).is_some()) { ", each its own" } else { "" };
        format!("{versions} needs {}{each}", self.named(needs, &all, sets.len() > 1))
    }

    fn needs_of_the_machine(&self, needs: &ResolverPackage, set: &Set) -> String {
        let have = self.fact(needs).map_or("none".to_owned(), |have| have.to_string());
        let least = match set.iter().next() {
            Some((Bound::Included(least), Bound::Unbounded)) => Some(least),
            _ => None,
        };
        match (needs, least) {
            (ResolverPackage::Driver, Some(least)) => {
                let driver = self.machine.driver.as_ref().and_then(|driver| driver.version.as_ref());
                let have = driver.map_or(have, ToString::to_string);
                format!("needs driver {} or newer, this one is {have}", driver_version(least))
            }
            (ResolverPackage::Glibc, Some(least)) => format!("needs glibc {least}, this system has {have}"),
            (ResolverPackage::Gpu { title, .. }, Some(least)) => {
                format!("needs compute capability {least} or higher, {title} has {have}")
            }
            (ResolverPackage::Python, _) => format!("needs Python {}, this one is {have}", in_words(set)),
            _ => format!("needs {}, and here it is {have}", ranges::named(needs, set)),
        }
    }

    fn none(&self, name: &PackageName, set: &Set) -> Option<String> {
        if let Some(artifact) = self.asked.direct.get(name) {
            return Some(format!("`{name}` is asked for by URL, in version {}", artifact.file_name.version));
        }
        let project = self.projects.read(name)?;
        if !project.found {
            return Some(format!("no index has a project `{name}`"));
        }
        if let Some(fault) = project.fault.as_ref().filter(|_| project.versions.is_empty()) {
            return Some(format!("`{name}` has no wheel: {fault}"));
        }
        if project.versions.is_empty() {
            return Some(format!(
                "`{name}` has {} and no wheel, and torchfix installs wheels only",
                if project.skipped > 0 { "source distributions" } else { "no files" }
            ));
        }
        if set.is_empty() || is_one_without_a_label(set) {
            return None;
        }
        let package = ResolverPackage::Distribution(name.clone());
        // What many conflicts left over is said by the versions there are.
        let what = if set.iter().count() > 2 { self.versions(&package, set) } else { ranges::named(name, set) };
        if let Some(miss) = project.nearest_miss(set) {
            return Some(format!("{what} is listed, and {}", miss_in_words(miss)));
        }
        let inside: Vec<&Version> = project.versions.keys().filter(|version| set.contains(version)).collect();
        Some(match (inside.is_empty(), inside.iter().all(|version| version.any_prerelease())) {
            (true, _) => {
                let everything = Ranges::full();
                let newest = project.choices(&everything, false).next().map(|(newest, _)| newest.clone());
                let oldest = project.choices(&everything, false).last().map(|(oldest, _)| oldest.clone());
                match (newest, oldest) {
                    // Who looks below all there is wants to hear of the oldest.
                    (Some(_), Some(oldest)) if below(set, &oldest) => {
                        format!("there is no {what} for this machine; the oldest is {oldest}")
                    }
                    (Some(newest), _) => format!("there is no {what}; the newest is {newest}"),
                    _ => format!("there is no {what}"),
                }
            }
            (false, true) => format!("{what} has pre-releases only, and those were not asked for"),
            (false, false) => format!("{what} was yanked by its makers, and is taken only where a requirement pins it"),
        })
    }

    /// A package with a set of its versions; one that is spelled says its version itself.
    ///
    /// A set that was put together out of several is said by the versions there are.
    pub(super) fn named(&self, package: &ResolverPackage, set: &Set, together: bool) -> String {
        let ResolverPackage::Spelled(..) = package else {
            let together = together && ranges::pinned(set).is_none();
            let project = package.distribution().filter(|_| together).and_then(|name| self.projects.read(name));
            let set = project.map_or(set.clone(), |project| set.simplify(project.versions.keys()));
            let versions = in_words(&set);
            return match () {
                () if set == Ranges::full() => package.to_string(),
                () if versions.starts_with("==") => format!("{package}{versions}"),
                () => format!("{package} {versions}"),
            };
        };
        package.to_string()
    }

    /// Versions of a package in words, by the ones that exist: `torch 2.8.0 to 2.14.1+cu126`.
    pub(super) fn versions(&self, package: &ResolverPackage, set: &Set) -> String {
        let project = package.distribution().and_then(|name| self.projects.read(name));
        let Some(project) = project else {
            return ranges::pinned(set).map_or(self.named(package, set, false), |one| format!("{package} {one}"));
        };
        let everything = Ranges::full();
        let usable: Vec<&Version> = project.choices(&everything, false).map(|(version, _)| version).collect();
        let known: Vec<&Version> = project.versions.keys().filter(|version| set.contains(version)).collect();
        let mut runs: Vec<(&Version, &Version)> = Vec::new();
        for version in known {
            let gap = |last: &Version| {
                usable.iter().any(|between| *between > last && *between < version && !set.contains(between))
            };
            match runs.last_mut() {
                Some((_, last)) if !gap(last) => *last = version,
                _ => runs.push((version, version)),
            }
        }
        let text = |(first, last): &(&Version, &Version)| match () {
            () if first == last => first.to_string(),
            () if first.local() == last.local() => format!("{} to {last}", (*first).clone().without_local()),
            () => format!("{first} to {last}"),
        };
        match runs.as_slice() {
            [] => ranges::pinned(set).map_or(self.named(package, set, false), |one| format!("{package} {one}")),
            [(first, last)] if first != last => {
                let two = project.versions.keys().filter(|version| set.contains(version)).count() == 2;
                if two { format!("{package} {first} or {last}") } else { format!("{package} {}", text(&(first, last))) }
            }
            [one] => format!("{package} {}", text(one)),
            [rest @ .., last] if rest.len() < 3 => {
                let rest: Vec<String> = rest.iter().map(text).collect();
                format!("{package} {} or {}", rest.join(", "), text(last))
            }
            [(first, _), .., (_, last)] => format!("{package} {first} to {last}, with gaps,"),
        }
    }
}

/// Whether a set is one version but for some of its labels: what those lack says it.
fn is_one_without_a_label(set: &Set) -> bool {
    let mut segments = set.iter();
    let (Some((lower, _)), Some((_, upper))) = (segments.next(), segments.last()) else { return false };
    ranges::pinned(&Ranges::from_range_bounds((lower.clone(), upper.clone()))).is_some()
}

/// Whether all of a set lies below a version.
fn below(set: &Set, version: &Version) -> bool {
    set.intersection(&Ranges::higher_than(version.clone())).is_empty()
}

/// A driver version as NVIDIA writes it: all numbers but the first with two digits.
fn driver_version(version: &Version) -> String {
    let numbers: Vec<String> = version
        .release()
        .iter()
        .enumerate()
        .map(|(place, number)| if place == 0 { number.to_string() } else { format!("{number:02}") })
        .collect();
    numbers.join(".")
}

/// A set as a person would write it: `>=1.26, !=2.0`.
pub(super) fn in_words(set: &Set) -> String {
    let segments: Vec<(Bound<Version>, Bound<Version>)> =
        set.iter().map(|(lower, upper)| (lower.clone(), upper.clone())).collect();
    let (Some((lower, _)), Some((_, upper))) = (segments.first(), segments.last()) else { return ranges::display(set) };
    let around = Ranges::from_range_bounds((lower.clone(), upper.clone()));
    let left_out = around.intersection(&set.complement());
    let holes: Option<Vec<String>> = left_out
        .iter()
        .map(|(lower, upper)| {
            let hole = Ranges::from_range_bounds((lower.clone(), upper.clone()));
            ranges::pinned(&hole).map(|hole| format!("!={hole}"))
        })
        .collect();
    match holes {
        Some(holes) if !holes.is_empty() => {
            let around = Some(ranges::display(&around)).filter(|_| around != Ranges::full());
            around.into_iter().chain(holes).collect::<Vec<_>>().join(", ")
        }
        _ => ranges::display(set),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(specifiers: &str) -> String {
        in_words(&ranges::of_specifiers(&specifiers.parse().unwrap()))
    }

    #[test]
    fn holes_are_said_as_they_are_written() {
        for text in [">=1.26, !=2.0", "!=2.0", ">=1, <3, !=2.0, !=2.1", "==2.9.1", ">=2.6, <3", "<1.20"] {
            assert_eq!(words(text), text);
        }
    }

    #[test]
    fn a_version_without_a_label_is_known() {
        let set = |specifiers: &str| ranges::of_specifiers(&specifiers.parse().unwrap());
        assert!(is_one_without_a_label(&set("==2.9.1, !=2.9.1+cpu")));
        assert!(!is_one_without_a_label(&set("==2.9.1")) && !is_one_without_a_label(&set(">=2.9.1, !=2.9.1+cpu")));
    }

    #[test]
    fn drivers_are_written_as_nvidia_does() {
        assert_eq!(driver_version(&"450.80.2".parse().unwrap()), "450.80.02");
        assert_eq!(driver_version(&"580".parse().unwrap()), "580");
        assert_eq!(driver_version(&"570.124.6".parse().unwrap()), "570.124.06");
    }

    #[test]
    fn what_is_alike_about_several_versions_is_one_fact() {
        let package = |name: &str| ResolverPackage::Distribution(name.parse().unwrap());
        let set = |specifiers: &str| ranges::of_specifiers(&specifiers.parse().unwrap());
        let needs = |version: &str, of: &str| {
            External::FromDependencyOf(package("scipy"), set(version), package("numpy"), set(of))
        };
        let mut facts = Facts::default();
        assert_eq!(facts.add(&needs("==1.10", ">=1.19")), Some(0));
        assert_eq!(facts.add(&needs("==1.11", ">=1.21")), Some(0));
        assert_eq!(facts.add(&External::NoVersions(package("numpy"), set("<1.19"))), Some(1));
        assert_eq!(facts.add(&External::NotRoot(package("scipy"), "1".parse().unwrap())), None);
        assert_eq!(facts.add(&needs("==1.12", ">=1.21")), Some(0));
        let Fact::Needs { each, .. } = &facts.all()[0] else { panic!("{facts:?}") };
        assert_eq!(each.len(), 2);
        assert!(each[1].0.contains(&"1.11".parse().unwrap()) && each[1].0.contains(&"1.12".parse().unwrap()));
    }
}
