//! From what is installed to what is wanted, as steps. Values in, values out: no file is read here.

use std::collections::{BTreeMap, BTreeSet};

use pep508_rs::{MarkerEnvironment, VersionOrUrl};

use crate::lock::LockedWheel;
use crate::venv::InstalledDistribution;
use crate::vocab::{CoreMetadata, ExtraName, PackageName, Requirement, Version};

/// The steps from an environment to what is wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// What is done, or knowingly left: first what is wanted, in its order, then what goes, by name.
    pub steps: Vec<Step>,
    /// What is installed and neither wanted nor in the way.
    pub untouched: Vec<InstalledDistribution>,
    /// Who will not work with what is installed then, a sentence each.
    pub warnings: Vec<String>,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A distribution comes that was not there.
    Add(LockedWheel),
    /// Another build of it takes the place of one that is there.
    Replace {
        /// What goes.
        old: InstalledDistribution,
        /// What comes.
        new: LockedWheel,
    },
    /// It goes, and nothing comes in its place.
    Remove {
        /// What goes.
        old: InstalledDistribution,
        /// Why.
        reason: RemovalReason,
    },
    /// It is wanted and there already.
    Keep(InstalledDistribution),
}

/// Why a distribution goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemovalReason {
    /// Only what is replaced or removed needed it: that distribution's name.
    Orphaned(PackageName),
    /// A second copy of what is kept or replaced.
    Duplicate,
    /// The environment is to hold what is wanted and nothing else.
    NotWanted,
}

impl std::fmt::Display for RemovalReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Orphaned(name) => write!(f, "only the {name} that goes needed it"),
            Self::Duplicate => f.write_str("a second copy of the same distribution"),
            Self::NotWanted => f.write_str("not among what is wanted"),
        }
    }
}

/// An installed distribution with what deciding about it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct InstalledState {
    /// The distribution.
    pub distribution: InstalledDistribution,
    /// Its METADATA; `None` where it cannot be read.
    pub metadata: Option<CoreMetadata>,
    /// Whether the user asked for it by name.
    pub requested: bool,
}

/// How a plan is made.
#[derive(Debug)]
pub struct PlanRules<'a> {
    /// The environment's marker values.
    pub markers: &'a MarkerEnvironment,
    /// Names that the resolution takes as they are installed, beside the wheels.
    pub kept: &'a BTreeSet<PackageName>,
    /// Names that are replaced even where the version is the same: another build of it is wanted.
    pub rebuilt: &'a BTreeSet<PackageName>,
    /// Whether what is not wanted goes.
    pub exact: bool,
}

impl Plan {
    /// Whether anything changes.
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Keep(_)))
    }

    /// The wheels that come.
    pub fn wheels(&self) -> impl Iterator<Item = &LockedWheel> {
        self.steps.iter().filter_map(|step| match step {
            Step::Add(wheel) | Step::Replace { new: wheel, .. } => Some(wheel),
            Step::Remove { .. } | Step::Keep(_) => None,
        })
    }

    /// The distributions that go.
    pub fn removed(&self) -> impl Iterator<Item = &InstalledDistribution> {
        self.steps.iter().filter_map(|step| match step {
            Step::Replace { old, .. } | Step::Remove { old, .. } => Some(old),
            Step::Add(_) | Step::Keep(_) => None,
        })
    }

    /// The distributions that are there before and after.
    pub fn staying(&self) -> impl Iterator<Item = &InstalledDistribution> {
        let kept = self.steps.iter().filter_map(|step| match step {
            Step::Keep(distribution) => Some(distribution),
            _ => None,
        });
        kept.chain(&self.untouched)
    }
}

/// Plans the way from `installed` to `target`.
///
/// With a replaced distribution goes what only it needed: what its requirements reach, was not asked for by name, is
/// not wanted now, and nothing that stays reaches.
pub fn plan(target: &[LockedWheel], installed: &[InstalledState], rules: &PlanRules<'_>) -> Plan {
    let mut plan = Plan::default();
    let mut by_name: BTreeMap<&PackageName, Vec<&InstalledState>> = BTreeMap::new();
    for state in installed {
        by_name.entry(&state.distribution.name).or_default().push(state);
    }
    let mut removals: Vec<(&InstalledState, RemovalReason)> = Vec::new();
    let mut replaced: Vec<&InstalledState> = Vec::new();
    for wheel in target {
        let mut copies = by_name.remove(&wheel.name).unwrap_or_default();
        let wanted = copies
            .iter()
            .position(|state| state.distribution.version == wheel.version && !rules.rebuilt.contains(&wheel.name));
        let step = match wanted {
            Some(index) => Step::Keep(copies.remove(index).distribution.clone()),
            None if copies.is_empty() => Step::Add(wheel.clone()),
            None => {
                let old = copies.remove(0);
                replaced.push(old);
                Step::Replace { old: old.distribution.clone(), new: wheel.clone() }
            }
        };
        plan.steps.push(step);
        removals.extend(copies.into_iter().map(|copy| (copy, RemovalReason::Duplicate)));
    }
    let mut left: Vec<&InstalledState> = Vec::new();
    for (name, copies) in by_name {
        if rules.exact && !rules.kept.contains(name) {
            removals.extend(copies.into_iter().map(|state| (state, RemovalReason::NotWanted)));
        } else {
            left.extend(copies);
        }
    }
    replaced.extend(removals.iter().map(|(state, _)| *state));
    let orphans = orphans(&replaced, &left, rules);
    left.retain(|state| !orphans.contains_key(&state.distribution.name));
    for state in installed {
        if let Some(cause) = orphans.get(&state.distribution.name) {
            removals.push((state, RemovalReason::Orphaned(cause.clone())));
        }
    }
    removals.sort_by(|(a, _), (b, _)| a.distribution.name.cmp(&b.distribution.name));
    plan.warnings = broken_by(target, installed, &left, rules.markers);
    plan.steps
        .extend(removals.into_iter().map(|(state, reason)| Step::Remove { old: state.distribution.clone(), reason }));
    plan.untouched = left.into_iter().map(|state| state.distribution.clone()).collect();
    plan
}

/// Among `left`, what only `gone` needed: each name with the distribution whose going orphans it.
fn orphans(
    gone: &[&InstalledState],
    left: &[&InstalledState],
    rules: &PlanRules<'_>,
) -> BTreeMap<PackageName, PackageName> {
    let by_name: BTreeMap<&PackageName, &InstalledState> =
        left.iter().map(|state| (&state.distribution.name, *state)).collect();
    let mut candidates: BTreeMap<&PackageName, &PackageName> = BTreeMap::new();
    let mut seen: BTreeSet<(&PackageName, &[ExtraName])> = BTreeSet::new();
    let mut open: Vec<(&InstalledState, &[ExtraName], &PackageName)> =
        gone.iter().map(|state| (*state, [].as_slice(), &state.distribution.name)).collect();
    while let Some((state, extras, cause)) = open.pop() {
        for requirement in active_requirements(state, rules.markers, extras) {
            let Some((name, needed)) = by_name.get_key_value(&requirement.name) else { continue };
            // `cuda-toolkit[cublas]` reaches what the bare name does not.
            if needed.requested || rules.kept.contains(*name) || !seen.insert((*name, &requirement.extras)) {
                continue;
            }
            let cause = *candidates.entry(*name).or_insert(cause);
            open.push((*needed, &requirement.extras, cause));
        }
    }
    // What stays for a reason of its own keeps all it reaches, by any extra: no file says which were asked for.
    let mut open: Vec<&InstalledState> =
        left.iter().copied().filter(|state| !candidates.contains_key(&state.distribution.name)).collect();
    while let Some(state) = open.pop() {
        let extras = state.metadata.as_ref().map_or([].as_slice(), |metadata| &metadata.provides_extra);
        for requirement in active_requirements(state, rules.markers, extras) {
            if candidates.remove(&requirement.name).is_some() {
                open.extend(by_name.get(&requirement.name));
            }
        }
    }
    candidates.into_iter().map(|(name, cause)| (name.clone(), cause.clone())).collect()
}

/// What `left` needs and had, and will not have any more.
fn broken_by(
    target: &[LockedWheel],
    installed: &[InstalledState],
    left: &[&InstalledState],
    markers: &MarkerEnvironment,
) -> Vec<String> {
    let before: BTreeMap<&PackageName, &Version> =
        installed.iter().map(|state| (&state.distribution.name, &state.distribution.version)).collect();
    let mut after: BTreeMap<&PackageName, &Version> =
        left.iter().map(|state| (&state.distribution.name, &state.distribution.version)).collect();
    after.extend(target.iter().map(|wheel| (&wheel.name, &wheel.version)));
    let mut warnings = Vec::new();
    for state in left {
        for requirement in active_requirements(state, markers, &[]) {
            let had = before.get(&requirement.name).is_some_and(|version| is_met_by(requirement, version));
            let has = after.get(&requirement.name);
            if !had || has.is_some_and(|version| is_met_by(requirement, version)) {
                continue;
            }
            let found = has.map_or_else(|| "goes".to_owned(), |version| format!("becomes {version}"));
            let title = state.distribution.title();
            let wanted = without_marker(requirement);
            warnings.push(format!("{title} requires {wanted}, but {} {found}", requirement.name));
        }
    }
    warnings
}

fn active_requirements<'a>(
    state: &'a InstalledState,
    markers: &'a MarkerEnvironment,
    extras: &'a [ExtraName],
) -> impl Iterator<Item = &'a Requirement> {
    state.metadata.iter().flat_map(move |metadata| {
        metadata.requires_dist.iter().filter(move |requirement| requirement.evaluate_markers(markers, extras))
    })
}

fn is_met_by(requirement: &Requirement, version: &Version) -> bool {
    match &requirement.version_or_url {
        Some(VersionOrUrl::VersionSpecifier(specifiers)) => specifiers.contains(version),
        Some(VersionOrUrl::Url(_)) | None => true,
    }
}

fn without_marker(requirement: &Requirement) -> String {
    match &requirement.version_or_url {
        Some(VersionOrUrl::VersionSpecifier(specifiers)) => format!("{}{specifiers}", requirement.name),
        Some(VersionOrUrl::Url(_)) | None => requirement.name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use pep508_rs::MarkerEnvironmentBuilder;

    use super::*;
    use crate::venv::MetadataFormat;

    fn markers() -> MarkerEnvironment {
        MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
            implementation_name: "cpython",
            implementation_version: "3.12.0",
            os_name: "posix",
            platform_machine: "x86_64",
            platform_python_implementation: "CPython",
            platform_release: "",
            platform_system: "Linux",
            platform_version: "",
            python_full_version: "3.12.0",
            python_version: "3.12",
            sys_platform: "linux",
        })
        .unwrap()
    }

    fn installed(title: &str, requires: &[&str]) -> InstalledState {
        let (name, version) = title.split_once(' ').unwrap();
        let mut lines = vec![format!("Name: {name}"), format!("Version: {version}"), "Provides-Extra: all".to_owned()];
        lines.extend(requires.iter().map(|requirement| format!("Requires-Dist: {requirement}")));
        let text = lines.join("\n");
        InstalledState {
            distribution: InstalledDistribution {
                name: name.parse().unwrap(),
                version: version.parse().unwrap(),
                dist_info: PathBuf::from(format!("/site/{name}-{version}.dist-info")),
                format: MetadataFormat::DistInfo,
            },
            metadata: Some(CoreMetadata::parse(text.as_bytes()).unwrap()),
            requested: false,
        }
    }

    fn wheel(title: &str) -> LockedWheel {
        let (name, version) = title.split_once(' ').unwrap();
        let file_name = format!("{}-{version}-py3-none-any.whl", name.replace('-', "_"));
        LockedWheel {
            name: name.parse().unwrap(),
            version: version.parse().unwrap(),
            url: format!("https://index.test/{file_name}").parse().unwrap(),
            file_name: file_name.parse().unwrap(),
            sha256: None,
            size: None,
            requested: false,
            direct: false,
            why: String::new(),
        }
    }

    fn names(names: &[&str]) -> BTreeSet<PackageName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn planned(target: &[LockedWheel], installed: &[InstalledState], rebuilt: &[&str], exact: bool) -> Plan {
        let rules = PlanRules { markers: &markers(), kept: &names(&["kept"]), rebuilt: &names(rebuilt), exact };
        plan(target, installed, &rules)
    }

    fn told(plan: &Plan) -> Vec<String> {
        let tell = |step: &Step| match step {
            Step::Add(wheel) => format!("add {}", wheel.title()),
            Step::Replace { old, new } => format!("replace {} by {}", old.title(), new.version),
            Step::Remove { old, reason } => format!("remove {}: {reason}", old.title()),
            Step::Keep(distribution) => format!("keep {}", distribution.title()),
        };
        plan.steps.iter().map(tell).collect()
    }

    #[test]
    fn what_only_the_old_build_reached_through_an_extra_goes_too() {
        let there = [
            installed("torch 2.15.0", &["cuda-toolkit[all]==13.2.2"]),
            installed("cuda-toolkit 13.2.2", &["nvidia-cublas==13; extra == 'all'", "nvidia-other; extra == 'other'"]),
            installed("nvidia-cublas 13", &[]),
            installed("nvidia-other 13", &[]),
        ];
        let plan = planned(&[wheel("torch 2.9.1")], &there, &[], false);
        assert_eq!(
            told(&plan),
            [
                "replace torch 2.15.0 by 2.9.1",
                "remove cuda-toolkit 13.2.2: only the torch that goes needed it",
                "remove nvidia-cublas 13: only the torch that goes needed it",
            ]
        );
    }

    #[test]
    fn another_build_takes_its_libraries_along() {
        let mut asked = installed("nvidia-nccl-cu12 2.27", &[]);
        asked.requested = true;
        let environment = [
            installed(
                "torch 2.9.1+cu128",
                &[
                    "filelock",
                    "nvidia-cublas-cu12==12.8; platform_system == 'Linux'",
                    "nvidia-cudnn-cu12",
                    "nvidia-nccl-cu12",
                    "optree; extra == 'all'",
                    "numpy; sys_platform == 'win32'",
                ],
            ),
            installed("filelock 3.0", &[]),
            installed("nvidia-cublas-cu12 12.8", &[]),
            installed("nvidia-cudnn-cu12 9.10", &["nvidia-cublas-cu12"]),
            asked,
            installed("numpy 2.0", &[]),
            installed("optree 1.0", &["typing-extensions"]),
            installed("typing-extensions 4.0", &[]),
            installed("mypy 1.0", &["typing-extensions"]),
        ];
        let plan = planned(&[wheel("torch 2.9.1+cpu"), wheel("filelock 3.0")], &environment, &[], false);
        assert_eq!(
            told(&plan),
            [
                "replace torch 2.9.1+cu128 by 2.9.1+cpu",
                "keep filelock 3.0",
                "remove nvidia-cublas-cu12 12.8: only the torch that goes needed it",
                "remove nvidia-cudnn-cu12 9.10: only the torch that goes needed it",
            ]
        );
        let untouched: Vec<_> = plan.untouched.iter().map(|left| left.name.to_string()).collect();
        assert_eq!(untouched, ["mypy", "numpy", "nvidia-nccl-cu12", "optree", "typing-extensions"]);
        assert_eq!(plan.warnings, [""; 0]);
    }

    #[test]
    fn who_breaks_is_named_unless_broken_before() {
        let environment = [
            installed("torch 2.8.0", &[]),
            installed("torchvision 0.23", &["torch==2.8.0", "pillow", "numpy<1"]),
            installed("numpy 2.0", &[]),
        ];
        let plan = planned(&[wheel("torch 2.9.1+cpu")], &environment, &[], false);
        assert_eq!(plan.warnings, ["torchvision 0.23 requires torch==2.8.0, but torch becomes 2.9.1+cpu"]);
        // A public specifier takes any local label.
        assert_eq!(planned(&[wheel("torch 2.8.0+cpu")], &environment, &[], false).warnings, [""; 0]);
    }

    #[test]
    fn nothing_to_do_is_an_empty_plan() {
        let environment = [installed("a 1", &["b"]), installed("b 1", &[])];
        let plan = planned(&[wheel("a 1")], &environment, &[], false);
        assert!(plan.is_empty(), "{plan:?}");
        assert_eq!((plan.staying().count(), plan.removed().count(), plan.wheels().count()), (2, 0, 0));
        assert_eq!(told(&planned(&[wheel("a 1")], &environment, &["a"], false))[0], "replace a 1 by 1");
    }

    #[test]
    fn an_exact_environment_holds_nothing_else() {
        let environment = [installed("a 1", &[]), installed("kept 1", &[]), installed("other 1", &[])];
        let plan = planned(&[wheel("a 1")], &environment, &[], true);
        assert_eq!(told(&plan), ["keep a 1", "remove other 1: not among what is wanted"]);
    }

    #[test]
    fn a_second_copy_goes() {
        let environment = [installed("a 1", &[]), installed("a 2", &[])];
        let told = |version| told(&planned(&[wheel(version)], &environment, &[], false));
        assert_eq!(told("a 2"), ["keep a 2", "remove a 1: a second copy of the same distribution"]);
        assert_eq!(told("a 3"), ["replace a 1 by 3", "remove a 2: a second copy of the same distribution"]);
    }
}
