//! The solver's answer held against the oracle's.

use torchfix::resolve::{Resolution, ResolveError, resolve};
use torchfix::vocab::{Diagnostic as _, ExitStatus};

use super::case::Case;
use super::search::{Answer, Candidate, Chosen, Search, State, answer, candidates};
use super::shelf::{Down, Shelf, reordered};
use super::version::Version;
use super::wheel::{Place, Wheel};

/// How a case came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Solved,
    Refused,
}

type Solved = Result<Resolution, ResolveError<Down>>;

/// Solves a case and holds the answer against the oracle's; says what is wrong.
pub fn check(case: &Case) -> Result<Outcome, String> {
    let solved = solve(case, &Shelf::of(&case.wheels, case.pytorch_down));
    let right = answer(case);
    let outcome = compare(case, &solved, &right)?;
    let again = solve(case, &Shelf::of(reordered(&case.wheels), case.pytorch_down));
    if !same(&solved, &again) {
        return Err(format!("pages in another order give another answer:\n{solved:?}\n{again:?}"));
    }
    Ok(outcome)
}

/// Whether the same question gets the same answer a second time.
pub fn check_again(case: &Case) -> Result<(), String> {
    let shelf = Shelf::of(&case.wheels, case.pytorch_down);
    let (first, second) = (solve(case, &shelf), solve(case, &shelf));
    if same(&first, &second) { Ok(()) } else { Err(format!("asked again:\n{first:?}\n{second:?}")) }
}

/// Whether less is asked for with success, where more was.
pub fn check_without(case: &Case, place: usize, outcome: Outcome) -> Result<(), String> {
    let fewer = case.without(place);
    let right = answer(&fewer);
    // Two requirements may change what is looked for: a label names the variant, and no card means `cpu`.
    let steers = case.machine.cards.is_empty() || case.needs[place].spec.pin().is_some_and(|pin| pin.label.is_some());
    if outcome == Outcome::Solved && matches!(right, Answer::None) && !steers {
        return Err(format!("the oracle contradicts itself without `{}`", case.needs[place]));
    }
    let solved = solve(&fewer, &Shelf::of(&fewer.wheels, fewer.pytorch_down));
    compare(&fewer, &solved, &right).map(drop).map_err(|fault| format!("without `{}`: {fault}", case.needs[place]))
}

/// The solver's answer.
pub fn solve(case: &Case, shelf: &Shelf) -> Solved {
    let manifests = &case.knowledge.manifests;
    resolve(&case.machine.solved_for(manifests), &case.request(), manifests, shelf, &[])
}

/// Holds an answer of the solver against the right one.
pub fn compare(case: &Case, solved: &Solved, right: &Answer) -> Result<Outcome, String> {
    match (solved, right) {
        (Ok(resolution), right) => {
            let torch = valid(case, resolution)?;
            match (right, torch) {
                (Answer::None, _) => Err(format!("solved, and the oracle finds nothing: {}", titles(resolution))),
                (Answer::With(right), torch) if case.asks_for_the_family() => chose(right, torch.as_ref()),
                _ => Ok(()),
            }?;
            Ok(Outcome::Solved)
        }
        (Err(error), Answer::None) => refused(case, error).map(|()| Outcome::Refused),
        // An index that does not answer is no reason to be content with less than it may have.
        (Err(error), _) if case.pytorch_down && !case.asks_for_the_family() => {
            refused(case, error).map(|()| Outcome::Refused)
        }
        (Err(error), Answer::With(right)) => Err(format!(
            "refused, and {} from {:?} would do: {error}\n{}",
            right.wheel.version,
            right.wheel.place,
            error.explanation().join("\n")
        )),
        (Err(error), Answer::WithoutTorch) => {
            Err(format!("refused, and it goes without torch: {error}\n{}", error.explanation().join("\n")))
        }
    }
}

fn same(one: &Solved, other: &Solved) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one == other,
        (Err(one), Err(other)) => {
            one.to_string() == other.to_string()
                && one.explanation() == other.explanation()
                && one.hints() == other.hints()
        }
        _ => false,
    }
}

fn chose(right: &Candidate, torch: Option<&Candidate>) -> Result<(), String> {
    let title = |candidate: &Candidate| {
        format!("{} ({}) from {:?}", candidate.wheel.version, candidate.variant, candidate.wheel.place)
    };
    match torch {
        Some(torch) if torch.worth == right.worth && torch.wheel.place == right.wheel.place => Ok(()),
        Some(torch) => Err(format!("chose {}, and {} is better", title(torch), title(right))),
        None => Err(format!("chose no torch, and {} is right", title(right))),
    }
}

/// Whether a resolution is what was asked for and holds together; its build of torch.
fn valid<'a>(case: &'a Case, resolution: &Resolution) -> Result<Option<Candidate<'a>>, String> {
    let mut chosen = Chosen::new();
    for locked in &resolution.wheels {
        let (place, version) = (Shelf::place(locked.url.as_str()), Version::read(&locked.version.to_string()));
        let is = |wheel: &&Wheel| {
            wheel.name == locked.name.as_ref()
                && wheel.place == place
                && wheel.version == version
                && wheel.file_name == locked.file_name.as_str()
        };
        let wheel = case.wheels.iter().find(is).ok_or_else(|| format!("{} is no wheel there is", locked.file_name))?;
        if !wheel.fits(&case.machine) {
            return Err(format!("{wheel} is not for this machine"));
        }
        if chosen.insert(wheel.name.as_str(), wheel).is_some() {
            return Err(format!("two versions of {}", wheel.name));
        }
    }
    let torch = match chosen.get("torch") {
        None => None,
        Some(wheel) => {
            let mut candidates = candidates(case).into_iter();
            let found = candidates.find(|candidate| std::ptr::eq(candidate.wheel, *wheel));
            Some(found.ok_or_else(|| format!("{wheel} does not serve this machine, or is not what is wanted"))?)
        }
    };
    let variant = resolution.torch.as_ref().map(|torch| torch.variant.to_string());
    if variant != torch.as_ref().map(|torch| torch.variant.clone()) {
        return Err(format!("says the variant is {variant:?}, and {torch:?} is chosen"));
    }
    let source = torch.as_ref().map(|torch| &torch.wheel.place);
    for wheel in chosen.values() {
        let home = if super::case::FAMILY.contains(&wheel.name.as_str()) { source } else { Some(&Place::Pypi) };
        if home != Some(&wheel.place) {
            return Err(format!("{wheel} is not from its home {home:?}"));
        }
    }
    let state = Search { case, torch: torch.as_ref() }.state(&chosen);
    match state {
        State::Broken(why) => Err(format!("not valid: {why}: {}", titles(resolution))),
        State::Missing(name) => Err(format!("not valid: `{name}` is missing: {}", titles(resolution))),
        State::Complete => Ok(torch),
    }
}

fn titles(resolution: &Resolution) -> String {
    resolution.wheels.iter().map(torchfix::lock::LockedWheel::title).collect::<Vec<_>>().join(", ")
}

/// A refusal must be one, say why, and blame the network only where it is to blame.
fn refused(case: &Case, error: &ResolveError<Down>) -> Result<(), String> {
    let right = match error.exit_status() {
        ExitStatus::NoSolution => true,
        ExitStatus::Network => case.pytorch_down,
        _ => false,
    };
    if !right {
        return Err(format!("refused with {:?}: {error}", error.exit_status()));
    }
    Ok(())
}
