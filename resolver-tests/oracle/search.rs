//! Brute force: every build of torch, best first, with every combination of versions of the rest.

use std::collections::BTreeMap;

use super::case::{Case, FAMILY};
use super::facts::cuda_of_variant;
use super::need::Need;
use super::rules::{Asked, Worth, worth};
use super::version::{Spec, Version};
use super::wheel::{Place, Wheel};

/// A build of torch that an index lists and that serves the machine.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    pub wheel: &'a Wheel,
    pub variant: String,
    pub worth: Worth,
}

/// What is right for a case.
#[derive(Debug)]
pub enum Answer<'a> {
    /// Nothing.
    None,
    /// Something without torch.
    WithoutTorch,
    /// This build, where torch's family is asked for; where it is not, some build or none.
    With(Candidate<'a>),
}

/// One version of each name.
pub type Chosen<'a> = BTreeMap<&'a str, &'a Wheel>;

/// What is right for a case.
pub fn answer(case: &Case) -> Answer<'_> {
    for candidate in candidates(case) {
        let search = Search { case, torch: Some(&candidate) };
        if search.finds(&mut Chosen::new(), true) {
            return Answer::With(candidate);
        }
    }
    let search = Search { case, torch: None };
    if search.finds(&mut Chosen::new(), false) { Answer::WithoutTorch } else { Answer::None }
}

/// The builds that serve the machine and are what is wanted, best first. Of two that are equal PyPI's own comes first.
pub fn candidates(case: &Case) -> Vec<Candidate<'_>> {
    let named = case.variant.clone().or_else(|| label_asked_for(case));
    let listed = |wanted: &dyn Fn(&str) -> bool| {
        let mut found: Vec<Candidate> = Vec::new();
        for wheel in case.wheels.iter().filter(|wheel| wheel.name == "torch" && may_be_taken(case, wheel)) {
            let Some(variant) = variant(case, wheel).filter(|variant| wanted(variant)) else { continue };
            let asked = if named.is_some() { Asked::ByName } else { Asked::NotByName };
            let Case { knowledge, machine, .. } = case;
            if let Ok(worth) = worth(&knowledge.facts, machine, &wheel.version, &variant, asked) {
                found.push(Candidate { wheel, variant, worth });
            }
        }
        found.sort_by(|a, b| (&b.worth, &b.wheel.place).cmp(&(&a.worth, &a.wheel.place)));
        found
    };
    match &named {
        // `cpu` beside a card is what was asked for.
        Some(named) => listed(&|variant| variant == named),
        None if case.machine.cards.is_empty() => {
            let cpu = listed(&|variant| variant == "cpu");
            let allowed = |candidate: &Candidate| allowed_by_request(case, candidate.wheel);
            if cpu.iter().any(allowed) {
                return cpu;
            }
            let mut stand_in = listed(&|_| true);
            stand_in.retain(|candidate| candidate.wheel.place == Place::Pypi);
            stand_in
        }
        // Never silently the CPU where there is a card.
        None => listed(&|variant| cuda_of_variant(variant).is_some()),
    }
}

/// The variant that the label of a pinned torch names.
fn label_asked_for(case: &Case) -> Option<String> {
    let asked = case.needs.iter().chain(&case.constraints);
    let mut torch = asked.filter(|need| need.name == "torch" && need.holds(&case.machine, None));
    torch.find_map(|need| need.spec.pin()?.label.clone())
}

/// What a wheel of torch was built for: its label says it, or the manifests do of PyPI's own; of a release that is newer
/// than all of them, what the newest is.
fn variant(case: &Case, wheel: &Wheel) -> Option<String> {
    if let Some(label) = &wheel.version.label {
        return Some(label.clone());
    }
    let facts = &case.knowledge.facts;
    let newest = facts.newest();
    let release = facts.release(&wheel.version).or_else(|| (wheel.version > newest.version).then_some(newest))?;
    release.pypi.get(&case.machine.platform()).cloned()
}

fn may_be_taken(case: &Case, wheel: &Wheel) -> bool {
    let reachable = !(case.pytorch_down && matches!(wheel.place, Place::Directory(_)));
    reachable && wheel.fits(&case.machine)
}

/// Whether the request itself, and its constraints, allow a wheel.
fn allowed_by_request(case: &Case, wheel: &Wheel) -> bool {
    let asked = case.needs.iter().chain(&case.constraints);
    let mut applies = asked.filter(|need| need.name == wheel.name && need.holds(&case.machine, None));
    applies.all(|need| need.spec.holds(&wheel.version))
}

/// The combinations with one build of torch, or with none.
pub struct Search<'a> {
    pub case: &'a Case,
    pub torch: Option<&'a Candidate<'a>>,
}

/// What a choice of versions comes to.
#[derive(Debug)]
pub enum State {
    /// Everything that is needed is there, and fits.
    Complete,
    /// A name that is needed has no version yet.
    Missing(String),
    /// Two things do not go together; in words.
    Broken(String),
}

impl<'a> Search<'a> {
    /// Whether some combination holds what is chosen; with `torch` among it where that is asked.
    pub fn finds(&self, chosen: &mut Chosen<'a>, with_torch: bool) -> bool {
        let missing = match self.state(chosen) {
            State::Complete => return !with_torch || chosen.contains_key("torch"),
            State::Broken(_) => return false,
            State::Missing(name) => name,
        };
        for wheel in self.versions(&missing) {
            chosen.insert(&wheel.name, wheel);
            if self.finds(chosen, with_torch) {
                return true;
            }
            chosen.remove(wheel.name.as_str());
        }
        false
    }

    /// Follows what is asked for through what is chosen.
    pub fn state(&self, chosen: &Chosen<'a>) -> State {
        let machine = &self.case.machine;
        let any_torch = Need::of("torch", Spec::Any);
        let mut todo: Vec<(Option<&str>, &Need)> = Vec::new();
        todo.extend(self.case.needs.iter().filter(|need| need.holds(machine, None)).map(|need| (None, need)));
        let mut done: Vec<(&str, Option<&str>)> = Vec::new();
        let mut missing = None;
        while let Some((by, need)) = todo.pop() {
            let Some(wheel) = chosen.get(need.name.as_str()) else {
                missing = Some(need.name.clone());
                continue;
            };
            if !need.spec.holds(&wheel.version) {
                return State::Broken(format!("{} needs `{need}`, not {}", by.unwrap_or("the request"), wheel.version));
            }
            for extra in [None, need.extra.as_deref()] {
                if done.contains(&(&wheel.name, extra)) {
                    continue;
                }
                done.push((&wheel.name, extra));
                let own = wheel.needs.iter().filter(|need| need.holds(machine, extra));
                todo.extend(own.map(|need| (Some(wheel.name.as_str()), need)));
            }
            if let Some(broken) = self.limits(wheel, chosen) {
                return State::Broken(broken);
            }
            if self.needs_its_torch(wheel) {
                todo.push((Some(wheel.name.as_str()), &any_torch));
            }
        }
        missing.map_or(State::Complete, State::Missing)
    }

    /// What holds of a wheel whoever needs it.
    fn limits(&self, wheel: &Wheel, chosen: &Chosen<'a>) -> Option<String> {
        let constraints = self.case.constraints.iter().filter(|need| need.holds(&self.case.machine, None));
        let mut of_it = constraints.filter(|need| need.name == wheel.name);
        if let Some(constraint) = of_it.find(|need| !need.spec.holds(&wheel.version)) {
            return Some(format!("the constraint `{constraint}` rules {} out", wheel.version));
        }
        let torch = chosen.get("torch")?;
        if self.needs_its_torch(wheel) && !self.made_for(&wheel.version, &torch.version) {
            return Some(format!("torchaudio {} was not made for torch {}", wheel.version, torch.version));
        }
        None
    }

    /// A torchaudio whose metadata does not say so still belongs to one torch.
    fn needs_its_torch(&self, wheel: &Wheel) -> bool {
        let audio = self.case.knowledge.facts.releases.iter().map(|release| &release.torchaudio);
        let known = || audio.into_iter().any(|version| *version == wheel.version.public());
        wheel.name == "torchaudio" && wheel.needs.iter().all(|need| need.name != "torch") && known()
    }

    /// Whether the last known release up to this torch goes with this torchaudio.
    fn made_for(&self, audio: &Version, torch: &Version) -> bool {
        let releases = self.case.knowledge.facts.releases.iter();
        let up_to = releases.filter(|release| release.version <= torch.public());
        let last = up_to.max_by(|a, b| a.version.cmp(&b.version));
        last.is_some_and(|release| release.torchaudio == audio.public())
    }

    /// The wheels of a name that may be chosen: torch's family from where torch is, the rest from PyPI.
    fn versions(&self, name: &str) -> Vec<&'a Wheel> {
        let home = match (self.torch, FAMILY.contains(&name)) {
            (Some(torch), true) if name == "torch" => return vec![torch.wheel],
            (Some(torch), true) => torch.wheel.place.clone(),
            (None, true) => return Vec::new(),
            (_, false) => Place::Pypi,
        };
        let case = self.case;
        case.wheels
            .iter()
            .filter(|wheel| wheel.name == name && wheel.place == home && may_be_taken(case, wheel))
            .collect()
    }
}
