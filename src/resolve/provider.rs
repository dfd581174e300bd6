//! The solver's view of one solution: what may be chosen, and what each choice depends on.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::rc::Rc;

use pep508_rs::{MarkerEnvironment, VersionOrUrl};
use pubgrub::{Dependencies, DependencyProvider, PackageResolutionStatistics};
use version_ranges::Ranges;

use super::effort::{Effort, MOST_AHEAD, TooHard};
use super::ranges;
use super::{Asked, InstalledPin, Line, ResolverPackage, Unfit, projects::Projects};
use crate::catalog::{Artifact, Manifests, Pages};
use crate::machine::{Gpu, Machine};
use crate::vocab::{PackageName, Requirement, Variant, Version};

/// Why a version cannot be used, beyond what it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// A build of torch that does not serve this machine.
    Unfit(Unfit),
    /// Its metadata was refused.
    Metadata(String),
    /// It requires something by URL, which only the user may.
    UrlRequirement(String),
    /// It requires another version of itself.
    Itself,
    /// A library that fails on a visible card, as messages name it.
    FailsOn(String),
    /// Built for another variant than torch, by its label.
    OtherLine {
        /// What it is built for.
        built_for: Variant,
        /// What torch is.
        torch: Variant,
    },
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::Unfit(unfit) => unfit.fmt(f),
            Unusable::Metadata(reason) => write!(f, "has metadata that cannot be used: {reason}"),
            Unusable::UrlRequirement(name) => write!(f, "requires `{name}` by URL, which only a request may"),
            Unusable::Itself => f.write_str("requires another version of itself"),
            Unusable::FailsOn(gpu) => write!(f, "is known to fail on {gpu}"),
            Unusable::OtherLine { built_for, torch } => {
                write!(f, "is built for {built_for}, and torch here is for {torch}: all of the family must be for one")
            }
        }
    }
}

/// What ends the solver early.
#[derive(Debug, thiserror::Error)]
pub enum Stop<E: std::error::Error + 'static> {
    /// A page or metadata that cannot be had.
    #[error(transparent)]
    Pages(E),
    /// A member of torch's family turned up, and no source of it was chosen yet.
    #[error("torch's source is not chosen yet")]
    SourceNeeded,
    /// No end is in sight.
    #[error("{0}")]
    TooHard(TooHard),
}

pub(super) type Set = Ranges<Version>;
/// Ordered, so that the same input is solved the same way.
type Constraints = BTreeMap<ResolverPackage, Set>;

/// Answers the solver for one machine, request and source of torch.
pub struct Provider<'a, P: Pages> {
    pub(super) machine: &'a Machine,
    pub(super) manifests: &'a Manifests,
    pub(super) asked: &'a Asked,
    pub(super) markers: &'a MarkerEnvironment,
    pub(super) installed: &'a [InstalledPin],
    pub(super) projects: Projects<'a, P>,
    pub(super) line: Option<&'a Line<'a>>,
    /// Whether torch's family has no versions, rather than a source that is still to be chosen.
    pub(super) without_family: bool,
    /// What each version that was looked into depends on.
    pub(super) known: RefCell<HashMap<(ResolverPackage, Version), Constraints>>,
    pub(super) warnings: RefCell<BTreeSet<String>>,
    pub(super) effort: Effort,
    /// The versions whose metadata was refused, and why.
    pub(super) refused: RefCell<BTreeMap<PackageName, BTreeMap<Version, String>>>,
    /// The torch that was chosen last; it only says in which order companions are tried.
    pub(super) torch: RefCell<Option<Version>>,
    /// The version of each distribution that was chosen last; an extra follows it.
    chosen: RefCell<HashMap<PackageName, Version>>,
    found: RefCell<HashMap<ResolverPackage, usize>>,
    count: Cell<usize>,
}

/// The order of decisions: facts, torch, its family, pins, then as they turned up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(u8, u32, Reverse<usize>);

impl<'a, P: Pages> Provider<'a, P> {
    pub(super) fn new(
        machine: &'a Machine,
        manifests: &'a Manifests,
        asked: &'a Asked,
        markers: &'a MarkerEnvironment,
        installed: &'a [InstalledPin],
        projects: Projects<'a, P>,
        line: Option<&'a Line<'a>>,
    ) -> Self {
        Self {
            machine,
            manifests,
            asked,
            markers,
            installed,
            projects,
            line,
            without_family: false,
            known: RefCell::default(),
            warnings: RefCell::default(),
            effort: Effort::default(),
            refused: RefCell::default(),
            torch: RefCell::default(),
            chosen: RefCell::default(),
            found: RefCell::default(),
            count: Cell::new(0),
        }
    }

    /// The version of a fact on this machine.
    pub(super) fn fact(&self, package: &ResolverPackage) -> Option<Version> {
        match package {
            ResolverPackage::Request => Some(request_version()),
            ResolverPackage::Python => Some(self.machine.python.as_ref()?.version.clone()),
            ResolverPackage::Glibc => {
                let glibc = self.machine.glibc?;
                Some(Version::new([u64::from(glibc.major), u64::from(glibc.minor)]))
            }
            ResolverPackage::Driver => {
                let driver = self.machine.driver.as_ref()?.version.as_ref()?;
                Some(Version::new(driver.numbers().map(u64::from)))
            }
            ResolverPackage::Gpu { index, .. } => {
                let gpus = self.machine.gpus.as_deref().unwrap_or_default();
                let gpu = gpus.iter().find(|gpu| gpu.index == *index)?;
                let capability = gpu.compute_capability?;
                Some(Version::new([u64::from(capability.major), u64::from(capability.minor)]))
            }
            ResolverPackage::Distribution(_) | ResolverPackage::Extra(..) | ResolverPackage::Spelled(..) => None,
        }
    }

    /// The wheel of a chosen version.
    pub(super) fn artifact(&self, name: &PackageName, version: &Version) -> Option<Rc<Artifact>> {
        match self.asked.direct.get(name) {
            Some(artifact) if artifact.file_name.version == *version => Some(Rc::new(artifact.clone())),
            Some(_) => None,
            None => self.projects.wheel(name, version),
        }
    }

    fn choose(&self, name: &PackageName, set: &Set) -> Result<Option<Version>, Stop<P::Error>> {
        if let Some(artifact) = self.asked.direct.get(name) {
            let version = &artifact.file_name.version;
            return Ok(set.contains(version).then(|| version.clone()));
        }
        if self.line.is_none() && self.manifests.family_member(name).is_some() {
            return if self.without_family { Ok(None) } else { Err(Stop::SourceNeeded) };
        }
        self.effort.distribution(name);
        let project = self.projects.project(name).map_err(Stop::Pages)?;
        self.effort.choose(name, set, project.versions.len());
        let pre_releases = self.asked.pre_releases(name) || self.projects.channel_has_pre_releases(name);
        let choices = || project.choices(set, pre_releases).map(|(version, _)| version);
        let installed = self.installed.iter().filter(|_| !self.asked.upgrade).find(|pin| pin.name == *name);
        if let Some(kept) = installed.and_then(|pin| choices().find(|version| **version == pin.version)) {
            return Ok(Some(kept.clone()));
        }
        if let Some(companion) = self.companion(name) {
            let public = |version: &&Version| (**version).clone().without_local() == companion;
            if let Some(companion) = choices().find(public) {
                return Ok(Some(companion.clone()));
            }
        }
        let works = self.works_with_torch(name);
        if let Some(version) = choices().find(|version| works.contains(version)).or_else(|| choices().next()) {
            return Ok(Some(version.clone()));
        }
        if ranges::pinned(set).is_some()
            && let Some(lost) = self.projects.lost_pins(name).map_err(Stop::Pages)?
        {
            return Ok(lost.choices(set, true).next().map(|(version, _)| version.clone()));
        }
        Ok(None)
    }

    fn request(&self) -> Constraints {
        let mut into = Constraints::default();
        for requirement in &self.asked.requirements {
            self.require(requirement, &mut into);
        }
        into
    }

    /// Adds a requirement, without looking at its marker.
    fn require(&self, requirement: &Requirement, into: &mut Constraints) {
        let set = match &requirement.version_or_url {
            Some(VersionOrUrl::VersionSpecifier(specifiers)) => ranges::of_specifiers(specifiers),
            Some(VersionOrUrl::Url(_)) | None => Ranges::full(),
        };
        let set = self.constrained(&requirement.name, set);
        for extra in &requirement.extras {
            narrow(into, ResolverPackage::Extra(requirement.name.clone(), extra.clone()), &set);
        }
        let own = match &requirement.version_or_url {
            Some(VersionOrUrl::VersionSpecifier(specifiers)) => ranges::spellings(specifiers).collect(),
            Some(VersionOrUrl::Url(_)) | None => Vec::new(),
        };
        for spelling in &own {
            narrow(into, ResolverPackage::Spelled(requirement.name.clone(), spelling.clone()), &set);
        }
        self.require_set(&requirement.name, set, into);
    }

    /// Adds a requirement of one of these versions.
    fn require_set(&self, name: &PackageName, set: Set, into: &mut Constraints) {
        let set = self.constrained(name, set);
        for spelling in self.asked.spellings(name) {
            narrow(into, ResolverPackage::Spelled(name.clone(), spelling.clone()), &set);
        }
        narrow(into, ResolverPackage::Distribution(name.clone()), &set);
    }

    /// What the user's constraints leave of a set.
    fn constrained(&self, name: &PackageName, set: Set) -> Set {
        match self.asked.constraint(name) {
            Some(constraint) => set.intersection(constraint),
            None => set,
        }
    }

    fn dependencies(
        &self,
        package: &ResolverPackage,
        name: &PackageName,
        version: &Version,
    ) -> Result<Result<Constraints, Unusable>, Stop<P::Error>> {
        let mut into = Constraints::default();
        let is_torch = name.as_ref() == TORCH;
        if is_torch && let Some(line) = self.line {
            *self.torch.borrow_mut() = Some(version.clone());
            // What the facts rule out needs no metadata.
            if let Err(unfit) = line.judge(version) {
                return Ok(match self.missing_fact(&unfit) {
                    Some((fact, set)) => {
                        narrow(&mut into, fact, &set);
                        Ok(into)
                    }
                    None => Err(Unusable::Unfit(unfit)),
                });
            }
        }
        if let Some(gpu) = self.fails_on(name, version) {
            return Ok(Err(Unusable::FailsOn(gpu)));
        }
        if let Some(other) = self.of_another_line(name, version) {
            return Ok(Err(other));
        }
        let page_says = self.artifact(name, version).and_then(|artifact| artifact.requires_python.clone());
        if let Some(python) = page_says.map(|python| ranges::of_specifiers(&python))
            && self.fact(&ResolverPackage::Python).is_some_and(|have| !python.contains(&have))
        {
            narrow(&mut into, ResolverPackage::Python, &python);
            return Ok(Ok(into));
        }
        let metadata = match self.metadata(name, version)? {
            Ok(metadata) => metadata,
            Err(unusable) => return Ok(Err(unusable)),
        };
        if let Some(python) = &metadata.requires_python {
            narrow(&mut into, ResolverPackage::Python, &ranges::of_specifiers(python));
        }
        let extras = match package {
            ResolverPackage::Extra(_, extra) => {
                narrow(&mut into, ResolverPackage::Distribution(name.clone()), &Ranges::singleton(version.clone()));
                if !metadata.provides_extra.contains(extra) {
                    let warning = format!("{name} {version} has no extra `{extra}`");
                    self.warnings.borrow_mut().insert(warning);
                }
                std::slice::from_ref(extra)
            }
            _ => &[],
        };
        for requirement in &metadata.requires_dist {
            if !requirement.evaluate_markers(self.markers, extras) {
                continue;
            }
            if requirement.name == *name {
                // An extra that stands for others of the same distribution.
                for extra in &requirement.extras {
                    let extra = ResolverPackage::Extra(name.clone(), extra.clone());
                    if extra != *package {
                        narrow(&mut into, extra, &Ranges::singleton(version.clone()));
                    }
                }
                match &requirement.version_or_url {
                    Some(VersionOrUrl::VersionSpecifier(own)) if !ranges::of_specifiers(own).contains(version) => {
                        return Ok(Err(Unusable::Itself));
                    }
                    _ => continue,
                }
            }
            if matches!(requirement.version_or_url, Some(VersionOrUrl::Url(_)))
                && !self.asked.direct.contains_key(&requirement.name)
            {
                return Ok(Err(Unusable::UrlRequirement(requirement.name.to_string())));
            }
            self.require(requirement, &mut into);
        }
        if !is_torch
            && self.line.is_some()
            && !metadata.requires_dist.iter().any(|required| required.name.as_ref() == TORCH)
            && let Some(torch) = self.torch_made_for(name, version)
        {
            self.require_set(&super::line::torch(), torch, &mut into);
        }
        self.fetch_ahead(&into);
        Ok(Ok(into))
    }

    /// The fact that a build lacks, as a dependency on it.
    fn missing_fact(&self, unfit: &Unfit) -> Option<(ResolverPackage, Set)> {
        let number = |driver: &crate::vocab::DriverVersion| Version::new(driver.numbers().map(u64::from));
        let (fact, set) = match unfit {
            Unfit::Glibc { need, .. } => {
                let need = Version::new([u64::from(need.major), u64::from(need.minor)]);
                (ResolverPackage::Glibc, Ranges::higher_than(need))
            }
            Unfit::DriverTooOld { need, .. } => (ResolverPackage::Driver, Ranges::higher_than(number(need))),
            Unfit::CudnnTooNew { gpu, floor, .. } => {
                let gpus = self.machine.gpus.as_deref().unwrap_or_default();
                let gpu: &Gpu = gpus.iter().find(|candidate| super::fit::title(candidate) == *gpu)?;
                let floor = Version::new([u64::from(floor.major), u64::from(floor.minor)]);
                (ResolverPackage::Gpu { index: gpu.index, title: super::fit::title(gpu) }, Ranges::higher_than(floor))
            }
            _ => return None,
        };
        let have = self.fact(&fact)?;
        (!set.contains(&have)).then_some((fact, set))
    }

    /// Asks for the pages of what is required, and for the metadata of the one wheel an exact pin selects.
    fn fetch_ahead(&self, constraints: &Constraints) {
        let required = |(package, _): (&ResolverPackage, &Set)| match package {
            ResolverPackage::Distribution(name) if !self.asked.direct.contains_key(name) => Some(name.clone()),
            _ => None,
        };
        let names = constraints.iter().filter_map(required).filter(|name| self.effort.distribution(name));
        let names: Vec<PackageName> = names.take(MOST_AHEAD).collect();
        if self.line.is_none() && names.iter().any(|name| self.manifests.family_member(name).is_some()) {
            return;
        }
        self.projects.prefetch(&names);
        let mut pinned = Vec::new();
        for (name, set) in names.iter().filter_map(|name| Some((name, constraints.get(&distribution(name))?))) {
            if ranges::pinned(set).is_some()
                // An error comes again when the page is really asked for.
                && let Ok(project) = self.projects.project(name)
                && let Some((version, artifact)) = project.choices(set, true).next()
                && self.effort.metadata(name, version)
            {
                pinned.push((**artifact).clone());
            }
        }
        self.projects.pages().prefetch(&[], &pinned);
    }
}

impl<P: Pages> DependencyProvider for Provider<'_, P> {
    type P = ResolverPackage;
    type V = Version;
    type VS = Set;
    type Priority = Priority;
    type M = Unusable;
    type Err = Stop<P::Error>;

    fn should_cancel(&self) -> Result<(), Self::Err> {
        self.effort.judge().map_err(Stop::TooHard)
    }

    fn prioritize(&self, package: &ResolverPackage, set: &Set, statistics: &PackageResolutionStatistics) -> Priority {
        let place = *self.found.borrow_mut().entry(package.clone()).or_insert_with(|| {
            self.count.set(self.count.get() + 1);
            self.count.get()
        });
        let class = match package {
            package if package.is_fact() => 6,
            ResolverPackage::Request => 6,
            ResolverPackage::Distribution(name) if name.as_ref() == TORCH => 5,
            package => match package.distribution() {
                Some(name) if self.asked.direct.contains_key(name) => 4,
                Some(name) if self.manifests.family_member(name).is_some() => 3,
                _ if ranges::pinned(set).is_some() => 2,
                _ => 1,
            },
        };
        // Among the rest, what keeps conflicting is decided earlier.
        let conflicts = if class == 1 { statistics.conflict_count() } else { 0 };
        Priority(class, conflicts, Reverse(place))
    }

    fn choose_version(&self, package: &ResolverPackage, set: &Set) -> Result<Option<Version>, Self::Err> {
        match package {
            ResolverPackage::Distribution(name) => {
                let choice = self.choose(name, set)?;
                if let Some(version) = &choice {
                    self.chosen.borrow_mut().insert(name.clone(), version.clone());
                }
                Ok(choice)
            }
            ResolverPackage::Extra(name, _) => match self.chosen.borrow().get(name) {
                Some(version) if set.contains(version) => Ok(Some(version.clone())),
                _ => self.choose(name, set),
            },
            ResolverPackage::Spelled(name, spelling) => {
                Ok(self.choose(name, set)?.filter(|version| version.to_string() == *spelling))
            }
            fact => Ok(self.fact(fact).filter(|have| set.contains(have))),
        }
    }

    fn get_dependencies(
        &self,
        package: &ResolverPackage,
        version: &Version,
    ) -> Result<Dependencies<ResolverPackage, Set, Unusable>, Self::Err> {
        let constraints = match package {
            ResolverPackage::Request => Ok(self.request()),
            ResolverPackage::Distribution(name) | ResolverPackage::Extra(name, _) => {
                self.dependencies(package, name, version)?
            }
            ResolverPackage::Spelled(name, _) => {
                let same = (ResolverPackage::Distribution(name.clone()), Ranges::singleton(version.clone()));
                Ok(Constraints::from([same]))
            }
            _ => Ok(Constraints::default()),
        };
        Ok(match constraints {
            Ok(constraints) => {
                self.known.borrow_mut().insert((package.clone(), version.clone()), constraints.clone());
                Dependencies::Available(constraints.into_iter().collect())
            }
            Err(unusable) => Dependencies::Unavailable(unusable),
        })
    }
}

/// The name that everything turns on.
pub const TORCH: &str = "torch";

/// The one version of the request.
pub fn request_version() -> Version {
    Version::new([0])
}

fn distribution(name: &PackageName) -> ResolverPackage {
    ResolverPackage::Distribution(name.clone())
}

fn narrow(into: &mut Constraints, package: ResolverPackage, set: &Set) {
    let entry = into.entry(package).or_insert_with(Ranges::full);
    *entry = entry.intersection(set);
}
