//! Why a build, or why not: for any build of torch on one machine, from the manifests alone.

use std::str::FromStr;

use pep508_rs::VersionOrUrl;
use version_ranges::Ranges;

use super::fit::{CudaPreference, Judge, title};
use super::line::allows;
use super::projects::variant_of;
use super::provider::TORCH;
use super::verdict::{Judgement, Verdict};
use super::{ranges, ways_out, wording};
use crate::catalog::Manifests;
use crate::catalog::manifest::Release;
use crate::machine::Machine;
use crate::request::VariantChoice;
use crate::vocab::{Diagnostic, ExitStatus, PackageName, Requirement, Variant, Version};

/// A question that cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhyError {
    /// Code `usage.why`, exit 2.
    #[error("`{text}` names no build of torch: {reason}")]
    NoBuild {
        /// What was typed.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Code `resolve.gpus-unknown`, exit 2.
    #[error("it is not known which GPUs this machine has, and that decides which torch serves it")]
    GpusUnknown,
    /// Code `resolve.capability-unknown`, exit 2.
    #[error("the compute capability of `{gpu}` is not known, and it decides which torch serves it")]
    CapabilityUnknown {
        /// The card.
        gpu: String,
    },
}

impl Diagnostic for WhyError {
    fn code(&self) -> &'static str {
        match self {
            WhyError::NoBuild { .. } => "usage.why",
            WhyError::GpusUnknown => "resolve.gpus-unknown",
            WhyError::CapabilityUnknown { .. } => "resolve.capability-unknown",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        ExitStatus::Usage
    }

    fn hints(&self) -> Vec<String> {
        vec![match self {
            WhyError::NoBuild { .. } => {
                "ask for `torch==2.11.0+cu128`, `torch==2.11.0`, `cu128`, or `torchvision==0.24.1`".to_owned()
            }
            WhyError::GpusUnknown => "say which: `--gpu 8.6`, `--gpu \"RTX 4090\"` or `--gpu none`".to_owned(),
            WhyError::CapabilityUnknown { .. } => "state it: `--gpu 8.6`".to_owned(),
        }]
    }
}

/// Which builds are asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    text: String,
    subject: Subject,
}

#[derive(Debug, Clone, PartialEq)]
enum Subject {
    /// Every release for a variant.
    Variant(Variant),
    /// Releases of torch, or of what is made for it; for one variant, or all.
    Releases { name: PackageName, set: Ranges<Version>, label: Option<Variant> },
}

impl FromStr for Question {
    type Err = WhyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let error =
            |reason: &str| WhyError::NoBuild { text: text.chars().take(80).collect(), reason: reason.to_owned() };
        let question = |subject| Ok(Self { text: text.to_owned(), subject });
        if let Ok(variant) = text.parse::<Variant>() {
            return question(Subject::Variant(variant));
        }
        let written_out = if text.starts_with(|first: char| first.is_ascii_digit()) {
            format!("{TORCH}=={text}")
        } else {
            text.to_owned()
        };
        let requirement: Requirement = written_out
            .parse()
            .map_err(|_| error("it is neither a requirement such as `torch==2.11.0` nor a variant such as `cu128`"))?;
        if !matches!(requirement.name.as_ref(), TORCH | "torchvision" | "torchaudio") {
            return Err(error("only builds of torch, torchvision and torchaudio depend on cards and drivers"));
        }
        let set = match &requirement.version_or_url {
            Some(VersionOrUrl::VersionSpecifier(specifiers)) => ranges::of_specifiers(specifiers),
            Some(VersionOrUrl::Url(_)) => return Err(error("a URL does not say what it is a build of")),
            None => Ranges::full(),
        };
        let pin = ranges::pinned(&set);
        let label = pin.as_ref().and_then(variant_of);
        if label.is_none() && pin.as_ref().is_some_and(Version::is_local) {
            return Err(error("its label names no variant"));
        }
        question(Subject::Releases { name: requirement.name, set, label })
    }
}

/// What is to be said about builds on a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What was asked.
    pub asked: String,
    /// The cards and the driver.
    pub hardware: String,
    /// The builds, newest release first; none where the manifests know of none.
    pub builds: Vec<Judgement>,
    /// The builds in sentences, like ones together.
    pub summary: Vec<String>,
    /// What has to be known beside it.
    pub notes: Vec<String>,
    /// The build that `install` takes; `None` where none serves.
    pub chosen: Option<Judgement>,
    /// Why that is preferred to what was asked for, rule by rule up to the one that decides.
    pub preference: Vec<String>,
    /// What stands against releases newer than the chosen.
    pub newer: Vec<String>,
    /// What would make a build run that does not.
    pub hints: Vec<String>,
    has_cards: bool,
}

impl Answer {
    /// Whether anything that was asked for runs here; beside a card a build for the CPU counts only where it alone was asked for.
    pub fn fits(&self) -> bool {
        let of_cpu = self.builds.iter().all(|build| build.variant == Variant::Cpu);
        self.builds.iter().any(|build| build.runs() && (of_cpu || !self.has_cards || build.verdict != Verdict::Cpu))
    }
}

/// Judges the builds in question, and compares them with the one that `install` takes.
pub fn why(machine: &Machine, manifests: &Manifests, question: &Question) -> Result<Answer, WhyError> {
    check_gpus(machine)?;
    let judge = Judge::new(machine, manifests);
    let mut notes = Vec::new();
    let builds = builds(&judge, question, &mut notes);
    let everything = Ranges::full();
    let chosen = judge.preferred(&VariantChoice::Auto, &everything);
    let best = builds.iter().filter(|build| build.runs()).max_by(|a, b| rank(a).cmp(&rank(b)));
    let preference = match (best, &chosen) {
        (Some(best), Some(chosen)) if best.title() != chosen.title() => preference(&judge, best, chosen),
        _ => Vec::new(),
    };
    let newer = match &chosen {
        Some(chosen) => newer(&judge, chosen),
        None => Vec::new(),
    };
    let hints = match best {
        Some(_) => Vec::new(),
        None => hints(&judge, question, &builds),
    };
    let assumed = best.and_then(|best| best.fit.as_ref()?.assumed.as_ref().map(|assumed| (best, assumed)));
    if let Some((best, assumed)) = assumed {
        notes.push(format!(
            "which cards {} has code for is assumed from {}+{}, the newest whose code is known",
            best.title(),
            assumed.from,
            best.variant
        ));
    }
    let mut summary = wording::running(&builds);
    summary.extend(wording::against(&builds));
    let hardware = wording::hardware(&judge);
    Ok(Answer {
        asked: question.text.clone(),
        hardware,
        builds,
        summary,
        notes,
        chosen,
        preference,
        newer,
        hints,
        has_cards: !judge.gpus().is_empty(),
    })
}

/// What decides must be known: which GPUs, and what they are.
pub(super) fn check_gpus(machine: &Machine) -> Result<(), WhyError> {
    let gpus = machine.gpus.as_ref().ok_or(WhyError::GpusUnknown)?;
    match gpus.iter().find(|gpu| gpu.compute_capability.is_none()) {
        Some(gpu) => Err(WhyError::CapabilityUnknown { gpu: title(gpu) }),
        None => Ok(()),
    }
}

fn rank(judgement: &Judgement) -> (bool, (&Version, bool, bool, CudaPreference)) {
    (judgement.only_named.is_none(), judgement.preference())
}

fn builds(judge: &Judge, question: &Question, notes: &mut Vec<String>) -> Vec<Judgement> {
    let manifests = judge.manifests;
    let (name, set, label) = match &question.subject {
        Subject::Variant(variant) => {
            let everything = Ranges::full();
            let of_variant: Vec<Judgement> =
                judge.judgements(&everything).into_iter().filter(|build| build.variant == *variant).collect();
            if of_variant.is_empty() {
                notes.push(format!(
                    "no torch is built for {variant} on {}, as far as the manifests know ({})",
                    judge.platform(),
                    manifests.as_of()
                ));
            }
            return of_variant;
        }
        Subject::Releases { name, set, label } => (name, set, label),
    };
    let releases = manifests.releases().iter().rev();
    let known: Vec<&Release> =
        releases.filter(|release| made_for(release, name).is_some_and(|version| allows(set, version))).collect();
    if name.as_ref() != TORCH {
        for release in &known {
            let version = made_for(release, name).map(ToString::to_string).unwrap_or_default();
            notes.push(format!("{name} {version} is made for torch {}", release.version));
        }
    }
    if known.is_empty() {
        return unknown(judge, name, set, label.as_ref(), notes);
    }
    let mut all = Vec::new();
    for release in known {
        if let Some(variant) = label {
            all.push(judge.judgement(&release.version, variant));
        } else {
            let own = judge.judgements(&ranges::exactly(&release.version));
            all.extend(own.into_iter().filter(|build| !matches!(build.variant, Variant::Other(_))));
        }
    }
    if all.is_empty() {
        notes.push(format!("no such build for {} is known", judge.platform()));
    }
    all
}

/// The version of torch, or of a companion, that a release stands for.
fn made_for<'r>(release: &'r Release, name: &PackageName) -> Option<&'r Version> {
    match name.as_ref() {
        TORCH => Some(&release.version),
        "torchvision" => Some(&release.torchvision),
        "torchaudio" => Some(&release.torchaudio),
        _ => None,
    }
}

/// Releases that no manifest has: newer ones are judged by what the newest known is like.
fn unknown(
    judge: &Judge,
    name: &PackageName,
    set: &Ranges<Version>,
    label: Option<&Variant>,
    notes: &mut Vec<String>,
) -> Vec<Judgement> {
    let Some(newest) = judge.manifests.releases().last() else { return Vec::new() };
    let pinned = ranges::pinned(set).filter(|_| name.as_ref() == TORCH).map(Version::without_local);
    let Some(pinned) = pinned.filter(|pinned| *pinned > newest.version) else {
        let what = ranges::named(name, set);
        let newest = made_for(newest, name).map(ToString::to_string).unwrap_or_default();
        notes.push(format!("the manifests ({}) know of no {what}; the newest is {newest}", judge.manifests.as_of()));
        return Vec::new();
    };
    notes.push(format!(
        "torch {pinned} is newer than the manifests ({}): it is taken to be like torch {}",
        judge.manifests.as_of(),
        newest.version
    ));
    let own = newest.builds.iter().filter(|build| build.platform == *judge.platform()).map(|build| &build.variant);
    let variants: Vec<&Variant> = label.map_or_else(|| own.collect(), |label| vec![label]);
    variants.into_iter().map(|variant| judge.judgement(&pinned, variant)).collect()
}

/// The rules of preference between two builds that run, up to the one that decides.
fn preference(judge: &Judge, asked: &Judgement, chosen: &Judgement) -> Vec<String> {
    let (one, other) = (asked.title(), chosen.title());
    if asked.verdict == Verdict::Cpu && asked.variant.cuda().is_some() {
        return vec![format!(
            "no NVIDIA GPU is here, and of builds that compute on the CPU `{}` is the smaller",
            chosen.variant
        )];
    }
    if let Some(reason) = &asked.only_named {
        return vec![format!("{one} {reason}: it is taken with `--variant {}` alone", asked.variant)];
    }
    if asked.version != chosen.version {
        return vec![format!("the newest torch is taken: {} before {}", chosen.version, asked.version)];
    }
    let mut rules = vec![format!("both are torch {}", chosen.version)];
    let (Some(asked), Some(chosen)) = (&asked.fit, &chosen.fit) else { return rules };
    if asked.code_for_every_card != chosen.code_for_every_card {
        rules.push(format!("{other} has machine code for every card, {one} would be compiled by the driver first"));
        return rules;
    }
    let both = if chosen.code_for_every_card {
        "both have machine code for every card"
    } else {
        "both are compiled by the driver first"
    };
    rules.push(both.to_owned());
    if asked.native != chosen.native {
        rules.push(format!(
            "{} supports the CUDA of {other} natively, that of {one} by minor-version compatibility only",
            wording::driver(judge)
        ));
        return rules;
    }
    rules.push(match (chosen.native, asked.cuda, chosen.cuda) {
        (true, CudaPreference::Native(less), CudaPreference::Native(more)) => {
            format!("the driver supports both natively: the newer CUDA is taken, {more} before {less}")
        }
        (_, CudaPreference::Compatible(more), CudaPreference::Compatible(less)) => {
            format!(
                "the driver runs both by minor-version compatibility: the older CUDA is taken, {less} before {more}"
            )
        }
        _ => return rules,
    });
    rules
}

/// What stands against the releases newer than the chosen one.
fn newer(judge: &Judge, chosen: &Judgement) -> Vec<String> {
    let newer = judge.judgements(&Ranges::strictly_higher_than(chosen.version.clone()));
    let considered = |build: &Judgement| judge.considered(&build.variant, &VariantChoice::Auto);
    let newer: Vec<Judgement> =
        newer.into_iter().filter(|build| considered(build) && build.version > chosen.version).collect();
    wording::against(&newer)
}

/// What about the machine could be changed so that a build in question runs.
fn hints(judge: &Judge, question: &Question, builds: &[Judgement]) -> Vec<String> {
    let mut set = Ranges::empty();
    for build in builds {
        set = set.union(&ranges::exactly(&build.version));
    }
    let wanted = match &question.subject {
        Subject::Variant(variant) | Subject::Releases { label: Some(variant), .. } => {
            VariantChoice::Named(variant.clone())
        }
        Subject::Releases { label: None, .. } => VariantChoice::Auto,
    };
    if let VariantChoice::Named(other @ Variant::Other(_)) = &wanted {
        return vec![format!("`torchfix install --variant {other}` takes it")];
    }
    ways_out::machine_hints(judge, &wanted, &set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<Question, WhyError> {
        text.parse()
    }

    fn answer(text: &str, gpu: &str, driver: &str) -> Answer {
        let machine: Machine = serde_json::from_str(&format!(
            r#"{{"os":"linux","arch":"x86_64","glibc":"2.36","python":{{"version":"3.12.9","abi":"cp312"}},
            "driver":{{"version":"{driver}"}},"gpus":[{{"name":"X","compute_capability":"{gpu}"}}]}}"#
        ))
        .unwrap();
        let manifests = Manifests::embedded();
        why(&machine.derived(manifests), manifests, &asked(text).unwrap()).unwrap()
    }

    #[test]
    fn builds_are_asked_for_in_many_ways() {
        for text in [
            "cu128",
            "torch==2.11.0+cu128",
            "torch==2.11.0",
            "2.11.0+cu128",
            "torch>=2.8,<2.10",
            "torch",
            "torchvision==0.24",
        ] {
            assert!(asked(text).is_ok(), "{text}");
        }
        for text in ["", "cu12.8", "numpy", "torch==2.9+abc", "torch @ https://host/torch.whl", "torch==", "==2.9"] {
            assert!(matches!(asked(text), Err(WhyError::NoBuild { .. })), "{text}");
        }
        let titles = |text: &str| -> Vec<String> {
            answer(text, "8.9", "580.95.05").builds.iter().map(Judgement::title).collect()
        };
        assert_eq!(titles("torch==2.11.0+cu128"), ["2.11.0+cu128"]);
        assert_eq!(titles("2.14.1"), ["2.14.1+cpu", "2.14.1+cu126", "2.14.1+cu130", "2.14.1+cu132"]);
        assert!(titles("cu118").iter().all(|title| title.ends_with("+cu118")));
        assert_eq!(titles("torchvision==0.24.0"), titles("torch==2.9.0"));
    }

    #[test]
    fn the_rule_that_decides_is_the_last_that_is_told() {
        let last = |text: &str, driver: &str| answer(text, "8.9", driver).preference.last().unwrap().clone();
        assert!(last("torch==2.14.1+cu126", "580.95.05").contains("newest torch"));
        let tie = |text: &str, driver: &str| {
            let mut preference = answer(text, "8.9", driver).preference;
            (preference.len(), preference.pop().unwrap())
        };
        // The newest torch that runs on these drivers is 2.14.1 with CUDA 12.6 alone, and 2.15.0 with 13.2 alone.
        assert_eq!(tie("torch==2.14.1+cpu", "535.54.03").0, 1);
        assert!(tie("torch==2.14.1+cpu", "535.54.03").1.contains("--variant cpu"));
    }

    #[test]
    fn native_goes_before_compatible_and_the_newer_cuda_before_the_older() {
        let judge_machine = |driver: &str| -> Machine {
            let machine: Machine = serde_json::from_str(&format!(
                r#"{{"os":"linux","arch":"x86_64","glibc":"2.36","driver":{{"version":"{driver}"}},
                "gpus":[{{"name":"X","compute_capability":"8.9"}}]}}"#
            ))
            .unwrap();
            machine.derived(Manifests::embedded())
        };
        let rules = |driver: &str, asked: &str, chosen: &str| {
            let machine = judge_machine(driver);
            let judge = Judge::new(&machine, Manifests::embedded());
            let build = |variant: &str| judge.judgement(&"2.9.1".parse().unwrap(), &variant.parse().unwrap());
            preference(&judge, &build(asked), &build(chosen))
        };
        let native = rules("570.124.06", "cu126", "cu128");
        assert_eq!((native.len(), native[2].contains("12.8 before 12.6")), (3, true), "{native:?}");
        let mixed = rules("560.35.03", "cu128", "cu126");
        assert!(mixed[2].contains("natively, that of 2.9.1+cu128 by minor-version"), "{mixed:?}");
        let compatible = rules("535.54.03", "cu128", "cu126");
        assert!(compatible[2].contains("the older CUDA is taken, 12.6 before 12.8"), "{compatible:?}");
    }

    #[test]
    fn what_is_newer_than_the_manifests_is_said_to_be_assumed() {
        let answer = answer("torch==2.99.0+cu130", "8.9", "580.95.05");
        assert!(answer.notes[0].contains("newer than the manifests"), "{:?}", answer.notes);
        assert!(answer.fits());
        let mut machine = Machine::bare(crate::vocab::Os::Linux, crate::vocab::Arch::X86_64);
        let question = asked("cu126").unwrap();
        assert_eq!(why(&machine, Manifests::embedded(), &question), Err(WhyError::GpusUnknown));
        machine.gpus = serde_json::from_str(r#"[{"name":"Card of tomorrow"}]"#).ok();
        assert!(matches!(why(&machine, Manifests::embedded(), &question), Err(WhyError::CapabilityUnknown { .. })));
    }
}
