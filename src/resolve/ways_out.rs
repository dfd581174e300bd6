//! Where nothing fits: the reason, and the nearest ways out.

use version_ranges::Ranges;

use super::explanation::{Explanation, Weight};
use super::fit::{Judge, Unfit, title};
use super::line::{allows, rejected};
use super::provider::TORCH;
use super::verdict::{Judgement, Objection};
use super::{ranges, wording};
use crate::catalog::Manifests;
use crate::machine::{Driver, Machine};
use crate::request::VariantChoice;
use crate::vocab::{Arch, DriverVersion, GlibcVersion, Variant, Version};

/// Why no build of torch serves.
#[derive(Debug)]
pub struct Refusal {
    /// In one line.
    pub message: String,
    /// Build by build.
    pub explanation: Explanation,
    /// What would help.
    pub hints: Vec<String>,
}

/// That the Python alone decides: torch is built for 64 bits only, whatever card there is.
fn refusal_of_python(judge: &Judge) -> Option<Refusal> {
    let python = judge.machine.python.as_ref().filter(|python| python.bits != 64)?;
    let mut explanation = Explanation::default();
    let mut hints = Vec::new();
    if matches!(judge.machine.arch, Arch::X86_64 | Arch::Aarch64) {
        let arch = &judge.machine.arch;
        explanation.push(Weight::Machine, format!("this machine's processor is {arch}: a 64-bit Python runs on it"));
        hints.push(format!("use a 64-bit Python {}, with `--python PATH` and a new environment", python.version));
    }
    Some(Refusal {
        message: format!("Python {} is a {}-bit one, and torch is built for 64 bits only", python.version, python.bits),
        explanation,
        hints,
    })
}

/// Why no known build in a set serves the machine.
pub fn refusal(machine: &Machine, manifests: &Manifests, wanted: &VariantChoice, set: &Ranges<Version>) -> Refusal {
    let judge = Judge::new(machine, manifests);
    if let Some(refusal) = refusal_of_python(&judge) {
        return refusal;
    }
    let cards: Vec<String> = distinct_cards(&judge);
    let considered = |build: &Judgement| judge.considered(&build.variant, wanted);
    let builds: Vec<Judgement> = judge.judgements(set).into_iter().filter(considered).collect();
    let refused = builds.iter().any(|build| !build.runs());
    let asked = ranges::named(TORCH, set);
    let variant = match wanted {
        VariantChoice::Named(variant) => format!(" for {variant}"),
        VariantChoice::Auto => String::new(),
    };
    let known = manifests.releases().iter().any(|release| allows(set, &release.version));
    let message = if !cards.is_empty() && machine.driver.is_none() && !is_cpu(wanted) {
        format!("{} is here without a working NVIDIA driver", wording::listed(&cards))
    } else if !known {
        format!("no index at hand has {asked}{variant}")
    } else if some_build_serves(machine, manifests, wanted, set) || !refused {
        format!("no index at hand has {asked}{variant} for this Python and platform")
    } else {
        match cards.as_slice() {
            [] => format!("no build of {asked}{variant} serves this machine"),
            [card] => format!("no build of {asked}{variant} serves {card}"),
            cards => format!("no build of {asked}{variant} serves {} at once", wording::listed(cards)),
        }
    };
    let mut explanation = Explanation::default();
    if refused && !cards.is_empty() && machine.driver.is_some() {
        explanation.push(Weight::Machine, format!("this machine has {}", wording::hardware(&judge)));
    }
    for sentence in wording::against(&builds) {
        explanation.push(Weight::Fact, sentence);
    }
    if let VariantChoice::Auto = wanted {
        for sentence in wording::only_named(&builds) {
            explanation.push(Weight::Fact, sentence);
        }
    }
    if let Some(served) = judge.preferred(wanted, set) {
        explanation.push(Weight::Fact, format!("torch {} would serve this machine", served.title()));
    }
    for (card, alone) in each_alone(machine, manifests, set) {
        let sentence = match alone {
            Some(build) => format!("{card} alone is served by torch {}", build.title()),
            None => format!("{card} is not served even alone"),
        };
        explanation.push(Weight::Machine, sentence);
    }
    let hints = hints(machine, manifests, wanted, set);
    Refusal { message, explanation, hints }
}

/// Whether some known build in a set would serve the machine, were it at hand.
pub fn some_build_serves(
    machine: &Machine,
    manifests: &Manifests,
    wanted: &VariantChoice,
    set: &Ranges<Version>,
) -> bool {
    Judge::new(machine, manifests).preferred(wanted, set).is_some()
        || (!manifests.releases().iter().any(|release| allows(set, &release.version)))
}

/// How many hints a person can weigh.
pub const AT_MOST: usize = 4;

/// What would help, nearest first.
pub fn hints(machine: &Machine, manifests: &Manifests, wanted: &VariantChoice, set: &Ranges<Version>) -> Vec<String> {
    let judge = Judge::new(machine, manifests);
    if judge.preferred(wanted, set).is_some() {
        return Vec::new();
    }
    let cpu = !judge.gpus().is_empty() && !is_cpu(wanted);
    let [mut hints, of_system] = changes(&judge, wanted, set);
    hints.extend(request_hints(&judge, wanted, set));
    hints.extend(of_system);
    hints.extend(leave_out(machine, manifests, set));
    if hints.is_empty() {
        hints.extend(no_driver_helps(&judge));
    }
    hints.truncate(AT_MOST - usize::from(cpu));
    if cpu {
        hints.push("`--variant cpu` computes without the GPU".to_owned());
    }
    hints
}

/// What about the machine could be changed so that something in a set serves it, nearest first.
pub fn machine_hints(judge: &Judge, wanted: &VariantChoice, set: &Ranges<Version>) -> Vec<String> {
    changes(judge, wanted, set).concat()
}

/// Of the driver, and of the rest.
fn changes(judge: &Judge, wanted: &VariantChoice, set: &Ranges<Version>) -> [Vec<String>; 2] {
    let driver = driver_hint(judge, wanted, set).into_iter().collect();
    [driver, system_hints(judge.machine, judge.manifests, wanted, set)]
}

fn is_cpu(wanted: &VariantChoice) -> bool {
    *wanted == VariantChoice::Named(Variant::Cpu)
}

fn distinct_cards(judge: &Judge) -> Vec<String> {
    let mut cards: Vec<String> = Vec::new();
    for card in judge.gpus().iter().map(title) {
        if !cards.contains(&card) {
            cards.push(card);
        }
    }
    cards
}

/// Another variant or another release that serves the machine as it is.
fn request_hints(judge: &Judge, wanted: &VariantChoice, set: &Ranges<Version>) -> Vec<String> {
    let everything = Ranges::full();
    let pinned = *set != everything;
    let mut hints = Vec::new();
    let other_variant = match wanted {
        VariantChoice::Named(_) => judge.preferred(&VariantChoice::Auto, set),
        VariantChoice::Auto => None,
    };
    if let Some(Judgement { version, variant, .. }) = &other_variant {
        hints.push(format!("`--variant {variant}` has torch {version} for this machine"));
    }
    // No install page names it, but it is there and it runs.
    let hidden = |build: &Judgement| build.only_named == Some(Unfit::Unadvertised) && build.variant.cuda().is_some();
    if let VariantChoice::Auto = wanted
        && let Some(build) = judge.judgements(set).into_iter().find(hidden)
    {
        hints.push(format!(
            "`--variant {}` has torch {}, though no install page names it",
            build.variant, build.version
        ));
    }
    let other_release = judge.preferred(wanted, &everything).filter(|_| pinned);
    if let Some(Judgement { version, variant, .. }) = &other_release {
        let last = if is_last_with_code(judge, version) { ", the last that does" } else { "" };
        hints.push(format!("torch {version} serves this machine ({variant}){last}: ask for `torch=={version}`"));
    }
    if other_variant.is_none()
        && other_release.is_none()
        && let VariantChoice::Named(_) = wanted
        && let Some(Judgement { version, variant, .. }) = judge.preferred(&VariantChoice::Auto, &everything)
    {
        let ask = if pinned { format!("`torch=={version}`") } else { "`torch`".to_owned() };
        hints.push(format!("torch {version} serves this machine ({variant}): ask for {ask} and name no other variant"));
    }
    hints
}

/// Whether no newer release has code for the cards here.
fn is_last_with_code(judge: &Judge, version: &Version) -> bool {
    let newer = judge.judgements(&Ranges::strictly_higher_than(version.clone()));
    let considered =
        |build: &&Judgement| build.version > *version && judge.considered(&build.variant, &VariantChoice::Auto);
    let mut newer = newer.iter().filter(considered).peekable();
    let no_code = |build: &Judgement| {
        let first = build.objections.first();
        matches!(first, Some(Objection::Unfit(Unfit::NoKernelFor { .. } | Unfit::CudnnTooNew { .. })))
    };
    newer.peek().is_some() && newer.all(no_code)
}

/// Another C library, or another Python.
fn system_hints(
    machine: &Machine,
    manifests: &Manifests,
    wanted: &VariantChoice,
    set: &Ranges<Version>,
) -> Vec<String> {
    let mut hints = Vec::new();
    let serves = |machine: &Machine| Judge::new(machine, manifests).preferred(wanted, set);
    let mut needed: Vec<GlibcVersion> = manifests
        .releases()
        .iter()
        .filter(|release| allows(set, &release.version))
        .flat_map(|release| &release.builds)
        .filter_map(|build| build.glibc.filter(|need| machine.glibc.is_some_and(|have| have < *need)))
        .collect();
    needed.sort_unstable();
    needed.dedup();
    let with_newer =
        needed.into_iter().find_map(|glibc| Some((glibc, serves(&Machine { glibc: Some(glibc), ..machine.clone() })?)));
    if let Some((glibc, build)) = with_newer {
        hints.push(format!(
            "torch {} runs where glibc is {glibc} or newer: on a newer system, or in a newer container image",
            build.title()
        ));
    }
    if let Some((python, build)) = other_python(machine, serves) {
        hints.push(format!(
            "torch {} is for Python {python}: `--python {python}` with a new environment",
            build.title()
        ));
    }
    hints
}

/// The nearest other Python with which something serves.
fn other_python(machine: &Machine, serves: impl Fn(&Machine) -> Option<Judgement>) -> Option<(Version, Judgement)> {
    let python = machine.python.as_ref()?;
    // Where no Python would do there is no need to try each.
    serves(&Machine { python: None, ..machine.clone() })?;
    let [major, minor, ..] = *python.version.release() else { return None };
    // A Python more than ten releases away is nobody's next step.
    let nearest = (1..=10_u64).flat_map(|steps| [minor.checked_add(steps), minor.checked_sub(steps)]).flatten();
    nearest.into_iter().find_map(|minor| {
        let version = Version::new([major, minor]);
        let other = crate::machine::PythonFacts { version: version.clone(), ..python.clone() };
        Some((version, serves(&Machine { python: Some(other), ..machine.clone() })?))
    })
}

/// What each of several different cards would be served by if it were alone.
fn each_alone(machine: &Machine, manifests: &Manifests, set: &Ranges<Version>) -> Vec<(String, Option<Judgement>)> {
    let mut cards = Vec::new();
    if machine.driver.is_none() {
        return cards;
    }
    for gpu in machine.gpus.as_deref().unwrap_or_default() {
        if cards.iter().all(|(known, _)| *known != title(gpu)) {
            let alone = Machine { gpus: Some(vec![gpu.clone()]), ..machine.clone() };
            let served = Judge::new(&alone, manifests).preferred(&VariantChoice::Auto, set);
            cards.push((title(gpu), served));
        }
    }
    if cards.len() < 2 { Vec::new() } else { cards }
}

/// Which cards to leave out, so that the others are served.
fn leave_out(machine: &Machine, manifests: &Manifests, set: &Ranges<Version>) -> Option<String> {
    let gpus = machine.gpus.as_deref().unwrap_or_default();
    let ways = each_alone(machine, manifests, set).into_iter().filter_map(|(card, served)| {
        let places: Vec<String> =
            gpus.iter().filter(|gpu| title(gpu) == card).map(|gpu| gpu.index.to_string()).collect();
        served.map(|_| format!("`--visible {}` is {card}", places.join(",")))
    });
    let ways: Vec<String> = ways.take(2).collect();
    (!ways.is_empty()).then(|| format!("use one kind of card: {}", ways.join(", ")))
}

/// That a card is too old for newer drivers, where that may be what one thinks of.
fn no_driver_helps(judge: &Judge) -> Option<String> {
    let have = judge.machine.driver.as_ref()?.version.as_ref()?;
    let lasts = judge.gpus().iter().filter_map(|gpu| {
        let last = judge.manifests.last_branch(gpu.compute_capability?, judge.driver_os())?;
        Some((last, gpu))
    });
    let (last, gpu) = lasts.min_by_key(|(last, _)| *last)?;
    (have.branch() <= last)
        .then(|| format!("a newer driver does not help: branch {last} is the last that drives {}", title(gpu)))
}

/// The oldest driver that gets the newest torch, of those that still drive every card.
fn driver_hint(judge: &Judge, wanted: &VariantChoice, set: &Ranges<Version>) -> Option<String> {
    let (machine, manifests) = (judge.machine, judge.manifests);
    let os = judge.driver_os();
    if judge.gpus().is_empty() {
        return None;
    }
    let last = judge.gpus().iter().filter_map(|gpu| manifests.last_branch(gpu.compute_capability?, os)).min();
    let served = manifests.branches().filter(|row| last.is_none_or(|last| row.branch <= last)).filter_map(|row| {
        let mut other = machine.clone();
        other.driver = Some(Driver { version: row.branch.to_string().parse().ok(), cuda: Some(row.cuda) });
        let served = Judge::new(&other, manifests).preferred(wanted, set)?;
        Some((served, row))
    });
    let (served, row) = served
        .max_by(|(a, a_row), (b, b_row)| a.version.cmp(&b.version).then_with(|| b_row.branch.cmp(&a_row.branch)))?;
    let place = if machine.wsl { " in Windows" } else { "" };
    let gets = format!(": then torch {} runs", served.title());
    let up_to =
        last.map_or(String::new(), |last| format!(", up to branch {last}, the last that drives every card here"));
    let floor = manifests.native_floor(row.cuda, os).map_or(row.branch.to_string(), ToString::to_string);
    let Some(have) = machine.driver.as_ref().and_then(|driver| driver.version.as_ref()) else {
        return Some(format!("install the NVIDIA driver{place}, {floor} or newer{up_to}{gets}"));
    };
    if let Some(last) = last.filter(|last| have.branch() > *last) {
        return Some(format!(
            "go back to NVIDIA driver branch {last}{place}, the last that drives every card here{gets}"
        ));
    }
    let needs = rejected(manifests, judge, wanted, set).into_iter().filter(|build| build.version == served.version);
    let need = needs.filter_map(|build| match build.reason {
        Unfit::DriverTooOld { need, .. } => Some(need),
        Unfit::DriverTooOldForPtx { need, .. } => need,
        _ => None,
    });
    // The least driver that a build asks for may not be all that a card asks for.
    let enough = |need: &DriverVersion| {
        let cuda = manifests.cuda_of_driver(need, os);
        let updated = Machine { driver: Some(Driver { version: Some(need.clone()), cuda }), ..machine.clone() };
        let served_then = Judge::new(&updated, manifests).preferred(wanted, set);
        served_then.is_some_and(|then| then.version == served.version)
    };
    let need = need.min().filter(enough).map_or(floor, |need| need.to_string());
    Some(format!("update the NVIDIA driver{place} to {need} or newer{up_to}{gets}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(gpus: &[(&str, &str)], driver: &str, os: &str) -> Machine {
        let gpu = |(index, (name, capability)): (usize, &(&str, &str))| serde_json::json!({ "index": index, "name": name, "compute_capability": capability });
        let gpus: Vec<_> = gpus.iter().enumerate().map(gpu).collect();
        let driver = (driver != "none").then(|| serde_json::json!({ "version": driver }));
        let machine: Machine = serde_json::from_value(serde_json::json!({
            "os": os, "arch": "x86_64", "glibc": (os == "linux").then_some("2.36"), "driver": driver, "gpus": gpus,
            "python": { "version": "3.12.9", "abi": "cp312" },
        }))
        .unwrap();
        machine.derived(Manifests::embedded())
    }

    fn named(variant: &str) -> VariantChoice {
        VariantChoice::Named(variant.parse().unwrap())
    }

    fn set(specifiers: &str) -> Ranges<Version> {
        ranges::of_specifiers(&specifiers.parse().unwrap())
    }

    #[test]
    fn hints_are_few_and_do_not_contradict_each_other() {
        let wishes = [VariantChoice::Auto, named("cu118"), named("cu126"), named("cu130"), named("cu132")];
        let sets = ["", "==2.15.0", "==2.6.0", "<2.9", "==9.9"].map(set);
        let two: &[(&str, &str)] = &[("New", "12.0"), ("Old", "6.1")];
        for gpus in [&[("Old", "3.7")][..], &[("Old", "6.1")], &[("New", "8.9")], &[("New", "12.0")], two] {
            for driver in ["none", "418.39", "470.82.01", "535.54.03", "580.95.05", "595.71.05"] {
                for (wanted, set) in wishes.iter().flat_map(|wanted| sets.iter().map(move |set| (wanted, set))) {
                    let machine = machine(gpus, driver, "linux");
                    let hints = hints(&machine, Manifests::embedded(), wanted, set);
                    let has = |part: &str| hints.iter().any(|hint| hint.contains(part));
                    assert!(hints.len() <= AT_MOST, "{hints:#?}");
                    assert!(!(has("update the NVIDIA driver") && has("go back to")), "{hints:#?}");
                    assert!(!(has("newer driver does not help") && has("update the NVIDIA driver")), "{hints:#?}");
                    if gpus.iter().any(|(name, _)| *name == "Old") {
                        assert!(!hints.iter().any(|hint| hint.contains("or newer") && !hint.contains("up to branch")));
                    }
                }
            }
        }
    }

    #[test]
    fn a_hint_keeps_its_word() {
        let pascal = machine(&[("Old", "6.1")], "470.82.01", "windows");
        let hints = hints(&pascal, Manifests::embedded(), &VariantChoice::Auto, &set(">=2.8"));
        assert!(hints[0].contains("update the NVIDIA driver to 528.33 or newer"), "{hints:#?}");
        let updated = machine(&[("Old", "6.1")], "528.33", "windows");
        let served =
            Judge::new(&updated, Manifests::embedded()).preferred(&VariantChoice::Auto, &set(">=2.8")).unwrap();
        assert!(hints[0].ends_with(&format!("then torch {} runs", served.title())), "{hints:#?}");
    }

    #[test]
    fn another_python_is_the_nearest_that_does() {
        let mut machine = machine(&[], "none", "linux");
        machine.python.as_mut().unwrap().version = "3.10.4".parse().unwrap();
        let hints = hints(&machine, Manifests::embedded(), &VariantChoice::Auto, &set("==2.15.0"));
        let python = "torch 2.15.0+cpu is for Python 3.11: `--python 3.11` with a new environment";
        assert_eq!(hints, ["torch 2.14.1 serves this machine (cpu): ask for `torch==2.14.1`", python]);
    }
}
