//! The solver's proof that there is no solution, as plain sentences.
//!
//! The derivation is a graph: two causes to each conclusion, down to facts. Most proofs are a short list of facts, and
//! said as one. Where two arguments of some length meet, each is said with what follows from it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pep508_rs::{MarkerTree, VersionOrUrl};
use pubgrub::{DerivationTree, Map, Term};
use version_ranges::Ranges;

use super::ResolverPackage;
use super::clash::Needs;
use super::explanation::{Explanation, Weight};
use super::facts::{Fact, Facts, Set, in_words};
use super::provider::{Provider, Unusable};
use crate::catalog::Pages;
use crate::vocab::{PackageName, Requirement};

type Tree = DerivationTree<ResolverPackage, Set, Unusable>;
type Terms = Map<ResolverPackage, Term<Set>>;

/// Why there is no solution.
#[derive(Debug, Clone)]
pub struct Proof {
    /// What cannot hold together.
    pub explanation: Explanation,
    /// What would help, as far as the proof says.
    pub hints: Vec<String>,
    /// Whether another source of torch might change it.
    pub depends_on_source: bool,
}

/// Puts a derivation in words.
pub fn proof<P: Pages>(provider: &Provider<'_, P>, tree: Tree) -> Proof {
    let tree = Arc::new(tree);
    let proof = told(provider, &tree);
    dismantle(tree);
    proof
}

fn told<P: Pages>(provider: &Provider<'_, P>, tree: &Arc<Tree>) -> Proof {
    let mut argument = Argument::of(tree);
    argument.leave_out_the_obvious(provider);
    let family = |package: &ResolverPackage| {
        package.distribution().is_some_and(|name| provider.manifests.family_member(name).is_some())
    };
    let shown = || argument.facts.all().iter().zip(&argument.shown).filter(|(_, shown)| **shown).map(|(fact, _)| fact);
    let depends_on_source = provider.line.is_some() && shown().any(|fact| fact.packages().any(family));
    let mut explanation = provider.request_in_words(shown());
    argument.tell(provider, &mut explanation);
    let hints = provider.hints_of(shown());
    Proof { explanation, hints, depends_on_source }
}

/// A derivation without its repetitions: every node once, causes before what follows from them.
struct Argument<'t> {
    nodes: Vec<Node<'t>>,
    facts: Facts,
    /// Of each fact, whether a reader is told it.
    shown: Vec<bool>,
}

enum Node<'t> {
    Fact(Option<usize>),
    Conclusion { first: usize, second: usize, terms: &'t Terms },
}

impl<'t> Argument<'t> {
    /// Walks the tree without recursion: a long chain of conflicts makes a deep one, and shared causes a wide one.
    fn of(tree: &'t Arc<Tree>) -> Self {
        let mut facts = Facts::default();
        let mut nodes = Vec::new();
        let mut places: HashMap<*const Tree, usize> = HashMap::new();
        let mut pending: Vec<(&'t Tree, bool)> = vec![(tree, false)];
        while let Some((tree, causes_done)) = pending.pop() {
            if places.contains_key(&std::ptr::from_ref(tree)) {
                continue;
            }
            let node = match tree {
                DerivationTree::External(external) => Node::Fact(facts.add(external)),
                DerivationTree::Derived(derived) if causes_done => {
                    let place = |cause: &Arc<Tree>| places.get(&Arc::as_ptr(cause)).copied();
                    let (Some(first), Some(second)) = (place(&derived.cause1), place(&derived.cause2)) else {
                        continue;
                    };
                    Node::Conclusion { first, second, terms: &derived.terms }
                }
                DerivationTree::Derived(derived) => {
                    pending.push((tree, true));
                    pending.push((&derived.cause2, false));
                    pending.push((&derived.cause1, false));
                    continue;
                }
            };
            places.insert(std::ptr::from_ref(tree), nodes.len());
            nodes.push(node);
        }
        let shown = vec![true; facts.all().len()];
        Self { nodes, facts, shown }
    }

    fn leave_out_the_obvious<P: Pages>(&mut self, provider: &Provider<'_, P>) {
        let subjects: Vec<&ResolverPackage> = self.facts.all().iter().filter_map(Fact::subject).collect();
        let shown = |fact: &Fact| match fact {
            // That there is nothing beyond the newest version is no news where versions themselves are ruled out.
            Fact::None { package, set } => !subjects.contains(&package) || provider.has_files_in(package, set),
            _ => true,
        };
        let told = |fact: &Fact| fact.is_request() || provider.sentence(fact).is_some();
        self.shown = self.facts.all().iter().map(|fact| shown(fact) && told(fact)).collect();
    }

    /// Says the facts in the order of the argument, and what follows where arguments meet.
    fn tell<P: Pages>(&self, provider: &Provider<'_, P>, explanation: &mut Explanation) {
        let rests_on = self.rests_on();
        let count = |place: usize| rests_on[place].iter().map(|bits| bits.count_ones()).sum::<u32>();
        let within =
            |one: usize, other: usize| rests_on[one].iter().zip(&rests_on[other]).all(|(one, other)| one & !other == 0);
        let Some(root) = self.nodes.len().checked_sub(1) else { return };
        let shown = self.facts.all().iter().zip(&self.shown).filter(|(_, shown)| **shown).map(|(fact, _)| fact);
        let facts: Vec<&Fact> = shown.filter(|fact| !fact.is_request()).collect();
        let needs = Needs::of(provider, &facts);
        if count(root) <= AT_A_GLANCE {
            return needs.tell_all(&mut HashSet::new(), explanation);
        }
        if let Some(clash) = needs.clash() {
            return needs.tell_clash(&clash, explanation);
        }
        let argued = |place: usize| count(place) > 1 && matches!(self.nodes[place], Node::Conclusion { .. });
        let meet = |first: usize, second: usize| {
            argued(first) && argued(second) && !within(first, second) && !within(second, first)
        };
        let meets = |node: &Node| match node {
            Node::Conclusion { first, second, .. } => meet(*first, *second),
            Node::Fact(_) => false,
        };
        if !self.nodes.iter().any(meets) {
            return needs.tell_all(&mut HashSet::new(), explanation);
        }
        let mut teller =
            Teller { argument: self, provider, explanation, concluded: HashMap::new(), said: HashSet::new() };
        let mut pending = vec![Task::Say(root)];
        while let Some(task) = pending.pop() {
            match task {
                Task::Say(place) if !teller.said.insert(place) => {}
                Task::Say(place) => match &self.nodes[place] {
                    Node::Fact(fact) => teller.fact(*fact),
                    Node::Conclusion { first, second, .. } => {
                        let (first, second) = (*first, *second);
                        if meet(first, second) {
                            pending.push(Task::Conclude(place));
                            pending.extend([Task::Conclude(second), Task::Say(second)]);
                            pending.extend([Task::Conclude(first), Task::Say(first)]);
                        } else {
                            // What is argued for comes before the last fact that it meets.
                            let (earlier, later) = if argued(second) { (second, first) } else { (first, second) };
                            pending.extend([Task::Say(later), Task::Say(earlier)]);
                        }
                    }
                },
                Task::Conclude(place) => teller.conclude(place, place == root),
            }
        }
    }

    /// The facts that each node rests on, those that are told: a bit each.
    fn rests_on(&self) -> Vec<Vec<u64>> {
        let words = self.shown.len().div_ceil(64);
        let mut all: Vec<Vec<u64>> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let mut bits = vec![0; words];
            match node {
                Node::Fact(Some(fact)) if self.shown[*fact] && !self.facts.all()[*fact].is_request() => {
                    bits[fact / 64] |= 1 << (fact % 64);
                }
                Node::Fact(_) => {}
                Node::Conclusion { first, second, .. } => {
                    for (bits, (first, second)) in bits.iter_mut().zip(all[*first].iter().zip(&all[*second])) {
                        *bits = first | second;
                    }
                }
            }
            all.push(bits);
        }
        all
    }
}

/// As many facts need no conclusions between them.
const AT_A_GLANCE: u32 = 5;

enum Task {
    Say(usize),
    Conclude(usize),
}

struct Teller<'a, 'p, P: Pages> {
    argument: &'a Argument<'a>,
    provider: &'a Provider<'p, P>,
    explanation: &'a mut Explanation,
    /// What was concluded, and by which sentence.
    concluded: HashMap<usize, usize>,
    said: HashSet<usize>,
}

impl<P: Pages> Teller<'_, '_, P> {
    fn fact(&mut self, place: Option<usize>) {
        let Some(place) = place.filter(|place| self.argument.shown[*place]) else { return };
        let fact = &self.argument.facts.all()[place];
        if let Some(sentence) = self.provider.sentence(fact) {
            self.explanation.push(self.provider.weight(fact), sentence);
        }
    }

    /// Says what follows, and from which conclusions where it is from two.
    fn conclude(&mut self, place: usize, is_root: bool) {
        let Node::Conclusion { first, second, terms } = &self.argument.nodes[place] else { return };
        if self.concluded.contains_key(&place) {
            return;
        }
        let follows = self.provider.conclusion(terms).filter(|_| !is_root);
        if follows.is_none() && !is_root {
            return;
        }
        let from = self.concluded.get(first).copied().zip(self.concluded.get(second).copied());
        let from = from.map(|(first, second)| (self.explanation.number(first), self.explanation.number(second)));
        let sentence = match (follows, from) {
            (Some(follows), Some((first, second))) => format!("so, from ({first}) and ({second}), {follows}"),
            (Some(follows), None) => format!("so {follows}"),
            (None, Some((first, second))) => format!("({first}) and ({second}) cannot both hold"),
            (None, None) => return,
        };
        let sentence = self.explanation.push(Weight::Fact, sentence);
        self.concluded.insert(place, sentence);
    }
}

impl<P: Pages> Provider<'_, P> {
    /// What was asked for of the packages that the proof is about, as it was typed.
    fn request_in_words<'f>(&self, facts: impl Iterator<Item = &'f Fact>) -> Explanation {
        let facts: Vec<&Fact> = facts.collect();
        let about: HashSet<&PackageName> = facts
            .iter()
            .filter(|fact| fact.is_request())
            .flat_map(|fact| fact.packages().filter_map(ResolverPackage::distribution))
            .collect();
        let mut explanation = Explanation::default();
        let mut asked: Vec<String> = Vec::new();
        for requirement in self.asked.requirements.iter().filter(|requirement| about.contains(&requirement.name)) {
            // A requirement's own text may carry a URL with credentials.
            let text = if let Some(VersionOrUrl::Url(_)) = &requirement.version_or_url {
                requirement.name.to_string()
            } else {
                Requirement { marker: MarkerTree::TRUE, ..requirement.clone() }.to_string()
            };
            if !asked.contains(&text) {
                asked.push(text);
            }
        }
        if !asked.is_empty() {
            explanation.push(Weight::Request, format!("you ask for {}", super::wording::listed(&asked)));
        }
        let mut held: Vec<&PackageName> =
            facts.iter().flat_map(|fact| fact.packages().filter_map(ResolverPackage::distribution)).collect();
        held.sort();
        held.dedup();
        for name in held {
            if let Some(set) = self.asked.constraint(name) {
                let sentence = if set.is_empty() {
                    format!("the constraints on {name} leave no version of it")
                } else {
                    format!("the constraints hold {name} to {}", in_words(set))
                };
                explanation.push(Weight::Request, sentence);
            }
        }
        for fact in facts {
            if let Fact::Needs { package: ResolverPackage::Request, needs: ResolverPackage::Distribution(name), each } =
                fact
                && each.iter().all(|(_, set)| set.is_empty())
            {
                explanation.push(Weight::Request, format!("no version of {name} can be all of that"));
            }
        }
        explanation
    }

    pub(super) fn weight(&self, fact: &Fact) -> Weight {
        let asked = |package: &ResolverPackage| package.distribution().is_some_and(|name| self.asked.names(name));
        match fact {
            Fact::Needs { needs, .. } if needs.is_fact() => Weight::Machine,
            Fact::Unusable { reason: Unusable::Unfit(_), .. } => Weight::Machine,
            Fact::Needs { package, needs, .. } if asked(package) || asked(needs) => Weight::Fact,
            Fact::Needs { .. } => Weight::Need,
            Fact::Unusable { .. } | Fact::None { .. } => Weight::Fact,
        }
    }

    /// What a conclusion says: that some versions do not go together, or need something.
    fn conclusion(&self, terms: &Terms) -> Option<String> {
        let mut terms: Vec<(&ResolverPackage, &Term<Set>)> =
            terms.iter().filter(|(package, _)| package.distribution().is_some()).collect();
        terms.sort_by_key(|(package, _)| *package);
        let any = |package: &ResolverPackage, set: &Set| {
            let project = package.distribution().and_then(|name| self.projects.read(name));
            *set == Ranges::full()
                || project.is_some_and(|project| project.versions.keys().all(|version| set.contains(version)))
        };
        let every = |package: &ResolverPackage, set: &Set| {
            if any(package, set) { format!("every {package}") } else { self.versions(package, set) }
        };
        let needed = |package: &ResolverPackage, set: &Set| {
            if any(package, set) { package.to_string() } else { self.named(package, set, true) }
        };
        match terms.as_slice() {
            [(package, Term::Positive(set))] if any(package, set) => Some(format!("{package} cannot be had")),
            [(package, Term::Positive(set))] => Some(format!("{} cannot be had", self.versions(package, set))),
            [(package, Term::Negative(set))] => Some(format!("it has to be {}", needed(package, set))),
            [(one, Term::Positive(set)), (other, Term::Positive(other_set))] => Some(if any(one, set) {
                format!("no version of {one} goes with {}", every(other, other_set))
            } else if any(other, other_set) {
                format!("no version of {other} goes with {}", every(one, set))
            } else {
                format!("{} does not go with {}", every(one, set), every(other, other_set))
            }),
            [(one, Term::Positive(set)), (other, Term::Negative(of_other))]
            | [(other, Term::Negative(of_other)), (one, Term::Positive(set))] => {
                Some(format!("{} needs {}", every(one, set), needed(other, of_other)))
            }
            _ => None,
        }
    }
}

/// Drops a tree level by level: left alone it would drop each cause within the other.
fn dismantle(tree: Arc<Tree>) {
    let mut pending = vec![tree];
    while let Some(tree) = pending.pop() {
        if let Some(DerivationTree::Derived(derived)) = Arc::into_inner(tree) {
            pending.extend([derived.cause1, derived.cause2]);
        }
    }
}

#[cfg(test)]
mod tests {
    use pubgrub::{Derived, External};

    use super::*;

    fn package(name: &str) -> ResolverPackage {
        ResolverPackage::Distribution(name.parse().unwrap())
    }

    fn none(name: &str) -> Arc<Tree> {
        Arc::new(DerivationTree::External(External::NoVersions(package(name), Ranges::full())))
    }

    fn derived(cause1: Arc<Tree>, cause2: Arc<Tree>) -> Arc<Tree> {
        Arc::new(DerivationTree::Derived(Derived { terms: Map::default(), shared_id: None, cause1, cause2 }))
    }

    #[test]
    fn a_derivation_may_be_as_deep_as_it_likes() {
        let mut tree = none("demo");
        for _ in 0..200_000 {
            tree = derived(tree, none("other"));
        }
        let argument = Argument::of(&tree);
        assert_eq!(argument.facts.all().len(), 2);
        assert_eq!(argument.rests_on().last().unwrap(), &vec![0b11]);
        drop(argument);
        dismantle(tree);
    }

    #[test]
    fn what_is_shared_is_walked_once() {
        let mut tree = none("demo");
        for _ in 0..100 {
            tree = derived(Arc::clone(&tree), tree);
        }
        assert_eq!(Argument::of(&tree).nodes.len(), 101);
        dismantle(tree);
    }
}
