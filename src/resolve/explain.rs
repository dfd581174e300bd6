//! The solver's proof that there is no solution, as plain sentences.

use std::collections::BTreeMap;

use pubgrub::{DerivationTree, External};
use version_ranges::Ranges;

use super::line::miss_in_words;
use super::provider::{Provider, Unusable};
use super::{ResolverPackage, ranges};
use crate::catalog::Pages;
use crate::vocab::{PackageName, Version};

type Set = Ranges<Version>;
type Tree = DerivationTree<ResolverPackage, Set, Unusable>;

/// Why there is no solution.
#[derive(Debug, Clone)]
pub struct Proof {
    /// What cannot hold together, a sentence each.
    pub sentences: Vec<String>,
    /// Whether another source of torch might change it.
    pub depends_on_source: bool,
}

/// Reduces a derivation to the facts it rests on, in the order the proof needs them.
pub fn proof<P: Pages>(provider: &Provider<'_, P>, tree: &Tree) -> Proof {
    let mut facts = Vec::new();
    collect(tree, &mut facts);
    let subjects: Vec<ResolverPackage> = facts.iter().filter_map(Fact::subject).cloned().collect();
    facts.retain(|fact| match fact {
        // That there is nothing beyond the newest version is no news where versions themselves are ruled out.
        Fact::None { package, set } => !subjects.contains(package) || provider.has_files_in(package, set),
        _ => true,
    });
    let family = |package: &ResolverPackage| {
        package.distribution().is_some_and(|name| provider.manifests.family_member(name).is_some())
    };
    let depends_on_source = provider.line.is_some() && facts.iter().any(|fact| fact.packages().any(family));
    let mut sentences: Vec<String> = Vec::new();
    for fact in &facts {
        if let Some(sentence) = provider.sentence(fact)
            && !sentences.contains(&sentence)
        {
            sentences.push(sentence);
        }
    }
    Proof { sentences, depends_on_source }
}

/// Something the proof takes from outside; like facts about several versions are one.
#[derive(Debug, Clone, PartialEq)]
enum Fact {
    None { package: ResolverPackage, set: Set },
    Needs { package: ResolverPackage, versions: Set, needs: ResolverPackage, set: Set },
    Unusable { package: ResolverPackage, versions: Set, reason: Unusable },
}

impl Fact {
    /// The package whose versions it rules out by what they are.
    fn subject(&self) -> Option<&ResolverPackage> {
        match self {
            Fact::None { .. } => None,
            Fact::Needs { package, .. } | Fact::Unusable { package, .. } => Some(package),
        }
    }

    fn packages(&self) -> impl Iterator<Item = &ResolverPackage> {
        let (first, second) = match self {
            Fact::None { package, .. } | Fact::Unusable { package, .. } => (package, None),
            Fact::Needs { package, needs, .. } => (package, Some(needs)),
        };
        std::iter::once(first).chain(second)
    }
}

fn collect(tree: &Tree, facts: &mut Vec<Fact>) {
    // A long chain of conflicts makes a deep tree: no recursion.
    let mut pending = vec![tree];
    while let Some(node) = pending.pop() {
        match node {
            DerivationTree::Derived(derived) => {
                pending.push(&derived.cause2);
                pending.push(&derived.cause1);
            }
            DerivationTree::External(external) => add(external, facts),
        }
    }
    let order = |fact: &Fact| match fact {
        Fact::Needs { package: ResolverPackage::Request, .. } => 0,
        Fact::Needs { .. } => 1,
        Fact::Unusable { .. } => 2,
        Fact::None { .. } => 3,
    };
    facts.sort_by_key(order);
}

fn add(external: &External<ResolverPackage, Set, Unusable>, facts: &mut Vec<Fact>) {
    match external {
        External::NotRoot(..) => {}
        External::NoVersions(package, set) => {
            let fact = Fact::None { package: package.clone(), set: set.clone() };
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        External::FromDependencyOf(package, versions, needs, set) => {
            let same = facts.iter_mut().find_map(|fact| match fact {
                Fact::Needs { package: p, versions, needs: n, set: s } if p == package && n == needs && s == set => {
                    Some(versions)
                }
                _ => None,
            });
            match same {
                Some(known) => *known = known.union(versions),
                None => facts.push(Fact::Needs {
                    package: package.clone(),
                    versions: versions.clone(),
                    needs: needs.clone(),
                    set: set.clone(),
                }),
            }
        }
        External::Custom(package, versions, reason) => {
            let same = facts.iter_mut().find_map(|fact| match fact {
                Fact::Unusable { package: p, versions, reason: r } if p == package && r == reason => Some(versions),
                _ => None,
            });
            match same {
                Some(known) => *known = known.union(versions),
                None => facts.push(Fact::Unusable {
                    package: package.clone(),
                    versions: versions.clone(),
                    reason: reason.clone(),
                }),
            }
        }
    }
}

impl<P: Pages> Provider<'_, P> {
    /// Whether an index lists files of these versions, be it that none fits.
    fn has_files_in(&self, package: &ResolverPackage, set: &Set) -> bool {
        let project = package.distribution().and_then(|name| self.projects.read(name));
        project.is_some_and(|project| project.versions.keys().any(|version| set.contains(version)))
    }

    fn sentence(&self, fact: &Fact) -> Option<String> {
        match fact {
            Fact::Needs { package, needs, .. }
                if package.distribution().is_some_and(|name| needs.distribution() == Some(name)) =>
            {
                None
            }
            Fact::Needs { package: ResolverPackage::Request, needs, set, .. } => {
                Some(format!("the request is for {}", named(needs, set)))
            }
            Fact::Needs { package, versions, needs, set } if needs.is_fact() => {
                let have = self.fact(needs).map_or("none".to_owned(), |have| have.to_string());
                Some(format!(
                    "{} needs {}, and here it is {have}",
                    self.versions(package, versions),
                    ranges::named(needs, set)
                ))
            }
            Fact::Needs { package, versions, needs, set } => {
                Some(format!("{} needs {}", self.versions(package, versions), named(needs, set)))
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

    fn none(&self, name: &PackageName, set: &Set) -> Option<String> {
        if let Some(artifact) = self.asked.direct.get(name) {
            return Some(format!("`{name}` is asked for by URL, in version {}", artifact.file_name.version));
        }
        let project = self.projects.read(name)?;
        if !project.found {
            return Some(format!("no index has a project `{name}`"));
        }
        if project.versions.is_empty() {
            return Some(format!(
                "`{name}` has {} and no wheel, and torchfix installs wheels only",
                if project.skipped > 0 { "source distributions" } else { "no files" }
            ));
        }
        if let Some(miss) = project.nearest_miss(set) {
            return Some(format!("{} is listed, and {}", ranges::named(name, set), miss_in_words(miss)));
        }
        let inside: Vec<&Version> = project.versions.keys().filter(|version| set.contains(version)).collect();
        let what = ranges::named(name, set);
        Some(match (inside.is_empty(), inside.iter().all(|version| version.any_prerelease())) {
            (true, _) => {
                let everything = Ranges::full();
                let newest = project.choices(&everything, false).next().map(|(newest, _)| newest.clone());
                match newest {
                    Some(newest) => format!("there is no {what}; the newest is {newest}"),
                    None => format!("there is no {what}"),
                }
            }
            (false, true) => format!("{what} has pre-releases only, and those were not asked for"),
            (false, false) => format!("{what} was yanked by its makers, and is taken only where a requirement pins it"),
        })
    }

    /// Versions of a package in words, by the ones that exist.
    fn versions(&self, package: &ResolverPackage, set: &Set) -> String {
        let project = package.distribution().and_then(|name| self.projects.read(name));
        let known: Vec<Version> = match &project {
            Some(project) => project.versions.keys().filter(|version| set.contains(version)).cloned().collect(),
            None => Vec::new(),
        };
        match known.as_slice() {
            [] => match ranges::pinned(set) {
                Some(version) => format!("{package} {version}"),
                None => ranges::named(package, set),
            },
            [one] => format!("{package} {one}"),
            [one, other] => format!("{package} {one} or {other}"),
            [first, .., last] => format!("{package} {first} to {last}"),
        }
    }
}

/// A package with a set of its versions; one that is spelled says its version itself.
fn named(package: &ResolverPackage, set: &Set) -> String {
    match package {
        ResolverPackage::Spelled(..) => package.to_string(),
        _ => ranges::named(package, set),
    }
}

/// Which distributions each one was required by, for the plan's `why`.
pub fn required_by<'a>(
    edges: impl Iterator<Item = (&'a ResolverPackage, &'a Version, &'a ResolverPackage)>,
) -> BTreeMap<PackageName, String> {
    let mut parents: BTreeMap<PackageName, String> = BTreeMap::new();
    for (parent, version, child) in edges {
        let (Some(parent), Some(child)) = (parent.distribution(), child.distribution()) else { continue };
        if parent == child {
            continue;
        }
        let why = format!("{parent} {version} needs it");
        match parents.get_mut(child) {
            // Deterministic, and torch before the rest: it is what the user thinks of.
            Some(known)
                if (why.starts_with("torch "), std::cmp::Reverse(&why))
                    > (known.starts_with("torch "), std::cmp::Reverse(&*known)) =>
            {
                *known = why;
            }
            Some(_) => {}
            None => {
                parents.insert(child.clone(), why);
            }
        }
    }
    parents
}
