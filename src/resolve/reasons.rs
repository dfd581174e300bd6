//! What is said aloud about a solution.

use std::collections::BTreeMap;

use super::fit::{CudaPreference, Judge, title};
use super::line::Line;
use super::{RejectedBuild, ResolverPackage};
use crate::catalog::Manifests;
use crate::machine::Machine;
use crate::request::VariantChoice;
use crate::vocab::{Os, PackageName, Variant, Version};

/// Reasons and warnings as they gather.
#[derive(Debug, Default)]
pub struct Told {
    /// Why this and nothing else.
    pub reasons: Vec<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Told {
    /// Adds a reason.
    pub fn reason(&mut self, text: String) {
        self.reasons.push(text);
    }
}

/// What the machine has.
pub fn machine(told: &mut Told, machine: &Machine, judge: &Judge) {
    let gpus = judge.gpus();
    if gpus.is_empty() {
        told.reason("no NVIDIA GPU is here".to_owned());
        told.reasons.extend(machine.notes.iter().cloned());
        return;
    }
    let cards: Vec<String> = gpus
        .iter()
        .map(|gpu| match gpu.compute_capability {
            Some(capability) => format!("{} ({capability})", title(gpu)),
            None => title(gpu),
        })
        .collect();
    let driver = machine.driver.as_ref().map_or("no driver".to_owned(), |driver| {
        let version = driver.version.as_ref().map_or(String::new(), |version| format!(" {version}"));
        let cuda = judge.driver_cuda.map_or(String::new(), |cuda| format!(", which supports CUDA {cuda}"));
        format!("driver{version}{cuda}")
    });
    told.reason(format!("{} with {driver}", cards.join(", ")));
}

/// Why this build of torch.
pub fn choice(
    told: &mut Told,
    line: &Line,
    version: &Version,
    wanted: &VariantChoice,
    judge: &Judge,
    unfit: &[RejectedBuild],
) {
    let no_gpu = judge.gpus().is_empty();
    let Some(variant) = line.variant(version) else { return };
    let Ok(fit) = line.judge(version) else { return };
    let place = line.place();
    let built_for = if version.is_local() { String::new() } else { format!(", built for {variant}") };
    told.reason(match wanted {
        VariantChoice::Named(wanted) => format!("torch {version}{built_for} from {place}: {wanted} was named"),
        VariantChoice::Auto if no_gpu && variant.cuda().is_none() && !line.best.installed => {
            format!("torch {version}{built_for} from {place}: the newest without an accelerator")
        }
        VariantChoice::Auto if line.best.installed => {
            format!("torch {version}{built_for} is installed and serves this machine")
        }
        VariantChoice::Auto => format!("torch {version}{built_for} from {place}: the newest that serves this machine"),
    });
    if no_gpu && variant.cuda().is_some() && line.stands_in {
        told.reason(format!(
            "a build for {variant} computes on the CPU too; it is larger than one for the CPU alone, which no index at hand offers"
        ));
    }
    if let Some(newer) = unfit.first() {
        told.reason(format!("torch {}+{} {}", newer.version, newer.variant, newer.reason));
    }
    if !no_gpu {
        if let CudaPreference::Compatible(cuda) = fit.cuda {
            told.reason(format!("the driver runs CUDA {cuda} by minor-version compatibility"));
        }
        if !fit.code_for_every_card {
            told.warnings.push(format!(
                "torch {version} has no machine code for every card here; the driver compiles it at the first use, which takes minutes"
            ));
        }
        for (gpu, first, have) in judge.gpus_newer_than_the_driver() {
            told.warnings.push(format!(
                "{} came with driver branch {first}, and driver {have} is older: where it does not work, update the driver",
                title(gpu)
            ));
        }
        for gpu in judge.gpus().iter().filter(|_| variant.cuda().is_some()) {
            let Some(capability) = gpu.compute_capability.filter(|capability| judge.joined(*capability)) else {
                continue;
            };
            told.warnings.push(format!(
                "{} ({capability}) runs code for other cards of its generation with this driver; that rests on reports",
                title(gpu)
            ));
        }
        if let VariantChoice::Named(named @ (Variant::Cpu | Variant::Other(_))) = wanted {
            told.warnings.push(format!("the NVIDIA GPU that is here will not be used: the {named} variant was named"));
        } else if variant.cuda().is_none() {
            told.warnings
                .push(format!("the NVIDIA GPU that is here will not be used: torch {version} is for {variant}"));
        }
    }
    if let Some(assumed) = fit.assumed {
        told.reason(format!(
            "which GPUs torch {version} has code for is assumed from {}+{variant}, the newest whose code is known",
            assumed.from
        ));
    }
}

/// What torch is known not to work with among the distributions that come or stay.
pub fn limits<'a>(
    told: &mut Told,
    manifests: &Manifests,
    os: Os,
    torch: &Version,
    others: &[(&'a PackageName, &'a Version)],
) {
    for limit in manifests.limits(torch).filter(|limit| limit.os.is_none_or(|own| own == os)) {
        let broken = others.iter().find(|(name, version)| **name == limit.name && !limit.allowed.contains(version));
        if let Some((name, version)) = broken {
            told.warnings
                .push(format!("torch {torch} does not work with {name} {version}: ask for `{name}{}`", limit.allowed));
        }
    }
}

/// The builds of releases newer than the chosen one.
pub fn newer_than(mut rejected: Vec<RejectedBuild>, torch: Option<&Version>) -> Vec<RejectedBuild> {
    let chosen = torch.map(|version| version.clone().without_local());
    rejected.retain(|build| chosen.as_ref().is_some_and(|chosen| build.version > *chosen));
    rejected
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
