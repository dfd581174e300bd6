//! Where nothing fits: the reason, and the nearest ways out.

use version_ranges::Ranges;

use super::fit::{Judge, Unfit, title};
use super::line::{allows, rejected};
use super::provider::TORCH;
use super::{RejectedBuild, ranges};
use crate::catalog::Manifests;
use crate::machine::{Driver, Machine};
use crate::request::VariantChoice;
use crate::vocab::{Variant, Version};

/// Why no build of torch serves.
#[derive(Debug)]
pub struct Refusal {
    /// In one line.
    pub message: String,
    /// Build by build.
    pub explanation: Vec<String>,
    /// What would help.
    pub hints: Vec<String>,
}

/// Why no known build in a set serves the machine.
pub fn refusal(machine: &Machine, manifests: &Manifests, wanted: &VariantChoice, set: &Ranges<Version>) -> Refusal {
    let judge = Judge::new(machine, manifests);
    let cards: Vec<String> = judge.gpus().iter().map(title).collect();
    let builds = rejected(manifests, &judge, wanted, set);
    let asked = ranges::named(TORCH, set);
    let message = if !cards.is_empty() && machine.driver.is_none() && !is_cpu(wanted) {
        format!("{} is here without a working NVIDIA driver", cards.join(", "))
    } else if some_build_serves(machine, manifests, wanted, set) || builds.is_empty() {
        let variant = match wanted {
            VariantChoice::Named(variant) => format!(" for {variant}"),
            VariantChoice::Auto => String::new(),
        };
        format!("no index at hand has {asked}{variant} for this Python and platform")
    } else if cards.is_empty() {
        format!("no build of {asked} serves this machine")
    } else {
        format!("no build of {asked} serves {}", cards.join(" and "))
    };
    let mut explanation = by_reason(&builds);
    explanation.extend(each_alone(machine, manifests, set));
    let hints = hints(machine, manifests, wanted, set);
    Refusal { message, explanation, hints }
}

/// The newest release of each variant and what is against it, like reasons together.
fn by_reason(builds: &[RejectedBuild]) -> Vec<String> {
    let mut variants: Vec<&Variant> = Vec::new();
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for build in builds {
        if variants.contains(&&build.variant) {
            continue;
        }
        variants.push(&build.variant);
        let (title, reason) = (format!("{}+{}", build.version, build.variant), build.reason.to_string());
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, titles)) => titles.push(title),
            None => reasons.push((reason, vec![title])),
        }
    }
    let sentence = |(reason, titles): (String, Vec<String>)| match titles.split_first() {
        Some((first, [])) => format!("torch {first} {reason}"),
        Some((first, rest)) => format!("torch {first} {reason}; the same holds of {}", rest.join(", ")),
        None => reason,
    };
    reasons.into_iter().map(sentence).collect()
}

/// Whether some known build in a set would serve the machine, were it at hand.
pub fn some_build_serves(
    machine: &Machine,
    manifests: &Manifests,
    wanted: &VariantChoice,
    set: &Ranges<Version>,
) -> bool {
    newest_that_serves(machine, manifests, wanted, set).is_some()
        || (!manifests.releases().iter().any(|release| allows(set, &release.version)))
}

/// What would help, nearest first.
pub fn hints(machine: &Machine, manifests: &Manifests, wanted: &VariantChoice, set: &Ranges<Version>) -> Vec<String> {
    let mut hints = Vec::new();
    let judge = Judge::new(machine, manifests);
    if judge.gpus().is_empty() || newest_that_serves(machine, manifests, wanted, set).is_some() {
        return hints;
    }
    if let Some(hint) = driver_hint(machine, manifests, wanted, set) {
        hints.push(hint);
    }
    if *set != Ranges::full()
        && let Some((version, variant)) = newest_that_serves(machine, manifests, wanted, &Ranges::full())
    {
        hints.push(format!("torch {version} serves this machine ({variant}): ask for `torch=={version}`"));
    }
    if let VariantChoice::Named(named) = wanted
        && let Some((version, variant)) = newest_that_serves(machine, manifests, &VariantChoice::Auto, set)
        && variant != *named
    {
        hints.push(format!("`--variant {variant}` has torch {version} for this machine"));
    }
    if judge.gpus().len() > 1 {
        hints.push("leave a card out with `--visible` or CUDA_VISIBLE_DEVICES".to_owned());
    }
    if !is_cpu(wanted) {
        hints.push("`--variant cpu` computes without the GPU".to_owned());
    }
    hints
}

fn is_cpu(wanted: &VariantChoice) -> bool {
    *wanted == VariantChoice::Named(Variant::Cpu)
}

/// What each of several cards would be served by if it were alone.
fn each_alone(machine: &Machine, manifests: &Manifests, set: &Ranges<Version>) -> Vec<String> {
    let gpus = machine.gpus.as_deref().unwrap_or_default();
    if gpus.len() < 2 || machine.driver.is_none() {
        return Vec::new();
    }
    let alone = gpus.iter().map(|gpu| {
        let mut alone = machine.clone();
        alone.gpus = Some(vec![gpu.clone()]);
        match newest_that_serves(&alone, manifests, &VariantChoice::Auto, set) {
            Some((version, variant)) => format!("{} alone is served by torch {version}+{variant}", title(gpu)),
            None => format!("{} is not served even alone", title(gpu)),
        }
    });
    alone.collect()
}

/// The newest known release in a set that serves, and its best variant.
fn newest_that_serves(
    machine: &Machine,
    manifests: &Manifests,
    wanted: &VariantChoice,
    set: &Ranges<Version>,
) -> Option<(Version, Variant)> {
    let judge = Judge::new(machine, manifests);
    let releases = manifests.releases().iter().rev().filter(|release| allows(set, &release.version));
    for release in releases {
        let builds = release.builds.iter().filter(|build| build.platform == *judge.platform());
        let fitting = builds.filter_map(|build| {
            let (named, considered) = match wanted {
                VariantChoice::Named(variant) => (true, build.variant == *variant),
                VariantChoice::Auto => (false, judge.gpus().is_empty() == build.variant.cuda().is_none()),
            };
            let fit = judge.judge(&release.version, &build.variant, named).ok().filter(|_| considered)?;
            Some(((fit.code_for_every_card, fit.native, fit.cuda), build.variant.clone()))
        });
        if let Some((_, variant)) = fitting.max() {
            return Some((release.version.clone(), variant));
        }
    }
    None
}

/// The oldest driver that gets the newest torch, of those that still drive every card.
fn driver_hint(
    machine: &Machine,
    manifests: &Manifests,
    wanted: &VariantChoice,
    set: &Ranges<Version>,
) -> Option<String> {
    let judge = Judge::new(machine, manifests);
    let os = judge.driver_os();
    let last = judge.gpus().iter().filter_map(|gpu| manifests.last_branch(gpu.compute_capability?, os)).min();
    let served = manifests.branches().filter(|row| last.is_none_or(|last| row.branch <= last)).filter_map(|row| {
        let mut other = machine.clone();
        other.driver = Some(Driver { version: row.branch.to_string().parse().ok(), cuda: Some(row.cuda) });
        let (release, _) = newest_that_serves(&other, manifests, wanted, set)?;
        Some((release, std::cmp::Reverse(row.branch), row))
    });
    let (release, _, row) = served.max_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)))?;
    let place = if machine.wsl { " in Windows" } else { "" };
    let up_to =
        last.map_or(String::new(), |last| format!(", up to branch {last}, the last that drives every card here"));
    let floor = manifests.native_floor(row.cuda, os).map_or(row.branch.to_string(), ToString::to_string);
    let Some(have) = machine.driver.as_ref().and_then(|driver| driver.version.as_ref()) else {
        return Some(format!("install the NVIDIA driver{place}, {floor} or newer{up_to}"));
    };
    if let Some(last) = last.filter(|last| have.branch() > *last) {
        return Some(format!("go back to NVIDIA driver branch {last}{place}, the last that drives every card here"));
    }
    let needs = rejected(manifests, &judge, wanted, set).into_iter().filter(|build| build.version == release);
    let need = needs.filter_map(|build| match build.reason {
        Unfit::DriverTooOld { need, .. } => Some(need),
        Unfit::DriverTooOldForPtx { need, .. } => need,
        _ => None,
    });
    let need = need.min().map_or(floor, |need| need.to_string());
    Some(format!("update the NVIDIA driver{place} to {need} or newer{up_to}"))
}
