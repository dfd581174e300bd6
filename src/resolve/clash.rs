//! Where two things that were asked for come down to versions of a third that exclude each other.
//!
//! The solver proves it in whatever order it met the conflicts. To a reader the argument is another: this one needs such
//! versions, that one needs such others.

use std::collections::HashSet;

use version_ranges::Ranges;

use super::ResolverPackage;
use super::explanation::{Explanation, Weight};
use super::facts::{Fact, Set};
use super::provider::Provider;
use crate::catalog::Pages;
use crate::vocab::PackageName;

/// Two names that were asked for, and the versions of a third that each leaves.
pub struct Clash<'f> {
    over: &'f PackageName,
    sides: [(&'f PackageName, Set); 2],
}

/// The facts of a proof, looked at name by name.
pub struct Needs<'f, 'p, P: Pages> {
    provider: &'f Provider<'p, P>,
    facts: &'f [&'f Fact],
}

/// More than a reader could follow is not looked into.
const STEPS: usize = 20_000;
const DEPTH: usize = 100;

impl<'f, 'p, P: Pages> Needs<'f, 'p, P> {
    /// Of the facts that are told.
    pub fn of(provider: &'f Provider<'p, P>, facts: &'f [&'f Fact]) -> Self {
        Self { provider, facts }
    }

    /// The names that were asked for and that the proof is about, as they were typed.
    fn asked(&self) -> Vec<&'f PackageName> {
        let mut asked: Vec<&PackageName> = Vec::new();
        for name in self.provider.asked.requirements.iter().map(|requirement| &requirement.name) {
            let told =
                self.facts.iter().any(|fact| fact.packages().any(|package| package.distribution() == Some(name)));
            if told && !asked.contains(&name) {
                asked.push(name);
            }
        }
        asked
    }

    /// What two of the names that were asked for cannot agree on.
    pub fn clash(&self) -> Option<Clash<'f>> {
        let asked = self.asked();
        let mut contested: Vec<&PackageName> = Vec::new();
        for fact in self.facts {
            if let Fact::Needs { needs, .. } = fact
                && let Some(name) = needs.distribution()
                && !contested.contains(&name)
            {
                contested.push(name);
            }
        }
        let mut steps = STEPS;
        for over in contested {
            let mut sides: Vec<(&PackageName, Set)> = Vec::new();
            for name in &asked {
                let from = self.provider.asked.versions(name.as_ref());
                let Some(left) = self.left(name, &from, over, &mut Vec::new(), &mut steps) else { continue };
                if left == Ranges::full() || left.is_empty() {
                    continue;
                }
                if let Some(other) = sides.iter().position(|(_, other)| other.is_disjoint(&left)) {
                    return Some(Clash { over, sides: [sides.swap_remove(other), (*name, left)] });
                }
                sides.push((*name, left));
            }
        }
        None
    }

    /// The versions of `over` that go with some version of `name` in a set; `None` where that is too much to follow.
    fn left(
        &self,
        name: &'f PackageName,
        set: &Set,
        over: &PackageName,
        within: &mut Vec<&'f PackageName>,
        steps: &mut usize,
    ) -> Option<Set> {
        if name == over {
            return Some(set.clone());
        }
        if within.contains(&name) {
            return Some(Ranges::full());
        }
        if within.len() > DEPTH {
            return None;
        }
        let Some(project) = self.provider.projects.read(name) else { return Some(Ranges::full()) };
        within.push(name);
        let mut all = Ranges::empty();
        for (version, _) in project.choices(set, self.provider.asked.pre_releases(name)) {
            *steps = steps.checked_sub(1)?;
            let mut left = Ranges::full();
            for fact in
                self.facts.iter().filter(|fact| fact.subject().is_some_and(|it| it.distribution() == Some(name)))
            {
                match fact {
                    Fact::Unusable { versions, .. } if versions.contains(version) => left = Ranges::empty(),
                    Fact::Needs { package, needs, each } if *package != ResolverPackage::Request => {
                        let needed = each.iter().filter(|(versions, _)| versions.contains(version));
                        for (_, set) in needed {
                            left = match needs.distribution() {
                                None => Ranges::empty(),
                                Some(needs) if needs == name => left,
                                Some(needs) => left.intersection(&self.left(needs, set, over, within, steps)?),
                            };
                        }
                    }
                    _ => {}
                }
            }
            all = all.union(&left);
        }
        within.pop();
        Some(all)
    }

    /// Says each side with what it comes to, and that these exclude each other.
    pub fn tell_clash(&self, clash: &Clash<'f>, explanation: &mut Explanation) {
        let mut told: HashSet<&PackageName> = HashSet::new();
        let mut conclusions = Vec::new();
        for (name, left) in &clash.sides {
            let order = self.reached(&[name]);
            self.tell(&order, &mut told, explanation);
            if *name != clash.over {
                let over = ResolverPackage::Distribution(clash.over.clone());
                let sentence = format!("so {name} needs {}", self.provider.named(&over, left, true));
                conclusions.push(explanation.push(Weight::Request, sentence));
            }
        }
        self.tell_all(&mut told, explanation);
        if let [first, second] = *conclusions {
            let (first, second) = (explanation.number(first), explanation.number(second));
            explanation.push(Weight::Request, format!("({first}) and ({second}) cannot both hold"));
        }
    }

    /// Says every fact, from what was asked for down to what it comes to.
    pub fn tell_all(&self, told: &mut HashSet<&'f PackageName>, explanation: &mut Explanation) {
        let order = self.reached(&self.asked());
        self.tell(&order, told, explanation);
        for fact in self.facts {
            self.say(fact, explanation);
        }
    }

    /// What is needed by these names, and by what they need: nearest first.
    fn reached(&self, names: &[&'f PackageName]) -> Vec<&'f PackageName> {
        let mut order = names.to_vec();
        let mut seen: HashSet<&PackageName> = order.iter().copied().collect();
        let mut next = 0;
        while let Some(name) = order.get(next).copied() {
            next += 1;
            for fact in self.facts {
                if let Fact::Needs { package, needs, .. } = fact
                    && package.distribution() == Some(name)
                    && let Some(needs) = needs.distribution()
                    && seen.insert(needs)
                {
                    order.push(needs);
                }
            }
        }
        order
    }

    fn tell(&self, order: &[&'f PackageName], told: &mut HashSet<&'f PackageName>, explanation: &mut Explanation) {
        for name in order {
            if !told.insert(name) {
                continue;
            }
            let about = |package: &ResolverPackage| package.distribution() == Some(*name);
            let (of_it, none): (Vec<&Fact>, Vec<&Fact>) = self
                .facts
                .iter()
                .copied()
                .filter(|fact| fact.packages().next().is_some_and(about))
                .partition(|fact| fact.subject().is_some());
            for fact in of_it.into_iter().chain(none) {
                self.say(fact, explanation);
            }
        }
    }

    fn say(&self, fact: &Fact, explanation: &mut Explanation) {
        if let Some(sentence) = self.provider.sentence(fact) {
            explanation.push(self.provider.weight(fact), sentence);
        }
    }
}
