//! The sources torch may come from, best first: one CUDA line holds a whole solution.

use version_ranges::Ranges;

use super::admission::{Admission, Miss};
use super::fit::{CudaPreference, Fit, Judge, Unfit};
use super::projects::{Projects, variant_of};
use super::provider::TORCH;
use super::{Asked, InstalledPin, RejectedBuild, ResolveError, ranges};
use crate::catalog::manifest::{Build, PythonAbi, Release};
use crate::catalog::{Homes, Manifests, PageFailure as _, Pages, TorchSource};
use crate::machine::{CompatibleTags, Incompatible};
use crate::request::VariantChoice;
use crate::vocab::{Channel, Os, PackageName, Variant, Version};

/// A source of torch, and which of its builds are wanted.
#[derive(Debug)]
pub struct Line<'a> {
    /// Where torch comes from.
    pub source: TorchSource,
    /// Its best build for this machine.
    pub best: Best,
    /// Whether its builds stand in for the `cpu` that no index offers.
    pub stands_in: bool,
    /// Whether the user named the very build.
    named: bool,
    /// The torch that is installed, where that may stay.
    kept: Option<Version>,
    channel: Channel,
    judge: &'a Judge<'a>,
    manifests: &'a Manifests,
    wanted: &'a VariantChoice,
}

/// What a source comes to, compared as DESIGN orders preferences: greater is better.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[allow(clippy::struct_excessive_bools, reason = "each is one preference, and their order is the struct's point")]
pub struct Best {
    /// Whether it is what is installed already.
    pub installed: bool,
    /// The release of torch, without its label.
    pub release: Version,
    /// Code for every card rather than PTX.
    pub code_for_every_card: bool,
    /// Native support rather than minor-version compatibility.
    pub native: bool,
    /// Which CUDA.
    pub cuda: CudaPreference,
    /// Of equals, the default index: its page is asked anyway.
    pub default_index: bool,
}

impl Line<'_> {
    /// What a version of torch from this source was built for; `None` when nothing says so.
    pub fn variant(&self, version: &Version) -> Option<Variant> {
        variant_of(version).or_else(|| match &self.source {
            TorchSource::Pytorch(variant) => Some(variant.clone()),
            TorchSource::Default => default_variant(self.manifests, self.judge, version),
        })
    }

    /// Where it lies, in words.
    pub fn place(&self) -> String {
        match (&self.source, self.channel) {
            (TorchSource::Pytorch(variant), Channel::Stable) => format!("the PyTorch index's {variant} directory"),
            (TorchSource::Pytorch(variant), channel) => format!("the PyTorch index's {channel}/{variant} directory"),
            (TorchSource::Default, _) => "the default index".to_owned(),
        }
    }

    /// Whether a version of torch from this source serves the machine and is what is wanted.
    pub fn judge(&self, version: &Version) -> Result<Fit, Unfit> {
        let variant = self.variant(version).ok_or(Unfit::UnknownCode)?;
        let wanted = match self.wanted {
            VariantChoice::Named(wanted) => Some(wanted.clone()),
            // What is there and computes on the CPU is not taken away for being larger than need be.
            VariantChoice::Auto if self.kept.as_ref() == Some(version) => None,
            VariantChoice::Auto if self.judge.gpus().is_empty() && !self.stands_in => Some(Variant::Cpu),
            VariantChoice::Auto => None,
        };
        if let Some(wanted) = wanted.filter(|wanted| *wanted != variant) {
            return Err(Unfit::OtherVariant { built_for: variant, wanted });
        }
        self.judge.judge(version, &variant, self.named)
    }

    /// How good one version of torch from this source is.
    pub fn best_of(&self, version: &Version, installed: Option<&Version>) -> Option<Best> {
        self.best(std::iter::once(version.clone()), installed)
    }

    fn best(&self, versions: impl Iterator<Item = Version>, installed: Option<&Version>) -> Option<Best> {
        let of = |version: Version| {
            let fit = self.judge(&version).ok()?;
            Some(Best {
                installed: installed == Some(&version),
                release: version.without_local(),
                code_for_every_card: fit.code_for_every_card,
                native: fit.native,
                cuda: fit.cuda,
                default_index: self.source == TorchSource::Default,
            })
        };
        versions.filter_map(of).max()
    }
}

/// What PyPI's own wheel of a release is built for; of releases newer than the manifests, what the newest known one is.
pub fn default_variant(manifests: &Manifests, judge: &Judge, version: &Version) -> Option<Variant> {
    if let Some(variant) = manifests.pypi_variant(version, judge.platform()) {
        return Some(variant.clone());
    }
    let newest = manifests.releases().last()?;
    (*version > newest.version).then(|| newest.pypi.get(judge.platform()).cloned()).flatten()
}

/// Everything the choice of a source looks at.
pub struct Lines<'a, P: Pages> {
    pub(super) judge: &'a Judge<'a>,
    pub(super) manifests: &'a Manifests,
    pub(super) homes: &'a Homes<'a>,
    pub(super) tags: &'a CompatibleTags,
    pub(super) pages: &'a P,
    pub(super) asked: &'a Asked,
    pub(super) admission: Admission<'a>,
    pub(super) wanted: &'a VariantChoice,
    pub(super) installed: &'a [InstalledPin],
}

/// The sources that have a build for this machine.
pub struct Found<'a, E> {
    /// Best first.
    pub lines: Vec<Line<'a>>,
    /// Why the PyTorch index could not be asked.
    pub unreachable: Option<E>,
    /// What the indexes that were asked lack, a sentence each.
    pub lacking: Vec<String>,
    /// The variants whose directories were asked for.
    asked: Vec<Variant>,
    /// Whether no other variant may have a build for this machine.
    all_asked: bool,
}

impl<'a, P: Pages> Lines<'a, P> {
    /// Asks for the pages of torch and orders their sources.
    pub fn find(&self) -> Result<Found<'a, P::Error>, ResolveError<P::Error>> {
        let set = self.asked.versions(TORCH);
        let mut found =
            Found { lines: Vec::new(), unreachable: None, lacking: Vec::new(), asked: Vec::new(), all_asked: false };
        let torch = torch();
        if let Some(artifact) = self.asked.direct.get(&torch) {
            let version = artifact.file_name.version.clone();
            let source = variant_of(&version).map_or(TorchSource::Default, TorchSource::Pytorch);
            let mut line = self.line(source, true);
            line.named = true;
            found.lines.extend(self.with_best(line, std::iter::once(version)));
            return Ok(found);
        }
        let mut tiers = self.variants(&set);
        while found.lines.is_empty() && found.unreachable.is_none() && !found.all_asked {
            match tiers.next() {
                Some(tier) => self.ask(&tier, &set, &mut found)?,
                None => found.all_asked = true,
            }
        }
        if self.default_may_serve(&set) {
            let line = self.line(TorchSource::Default, false);
            self.add(line, &set, &mut found)?;
        }
        let cpu_for_lack_of_gpus = *self.wanted == VariantChoice::Auto && self.judge.gpus().is_empty();
        if found.lines.is_empty() && cpu_for_lack_of_gpus && self.homes.channel() == Channel::Stable {
            let line = self.line(TorchSource::Default, true);
            self.add(line, &set, &mut found)?;
        }
        found.lines.sort_by(|a, b| b.best.cmp(&a.best));
        Ok(found)
    }

    /// Asks for the variants of older releases that may come to more than what was reached; whether any has a build.
    ///
    /// What is asked for beside torch may lead to a release that none of the variants asked for first serves best.
    pub fn find_more(
        &self,
        reached: Option<&Best>,
        found: &mut Found<'a, P::Error>,
    ) -> Result<bool, ResolveError<P::Error>> {
        let any_variant = *self.wanted == VariantChoice::Auto
            && self.judge.platform().os != Os::Macos
            && !self.judge.gpus().is_empty()
            && self.homes.channel() == Channel::Stable;
        if !any_variant || found.all_asked || found.unreachable.is_some() || self.asked.direct.contains_key(&torch()) {
            return Ok(false);
        }
        let set = self.asked.versions(TORCH);
        let newest_first = || self.releases(&set).rev();
        let as_new = |version: &&Version| reached.is_none_or(|reached| **version >= reached.release);
        let installed = self.installed_torch().and_then(variant_of);
        let may_come_to_more = |variant: &Variant| {
            if installed.as_ref() == Some(variant) && reached.is_none_or(|reached| !reached.installed) {
                return true;
            }
            let versions = newest_first().take_while(as_new).filter(|version| {
                // Where nothing is found yet, that the manifests know of no such build is no reason not to look.
                let known = || self.may_have(version, variant) && !self.is_for_other_pythons(version, variant);
                reached.is_none() || known()
            });
            let line = self.line(TorchSource::Pytorch(variant.clone()), false);
            let most = self.with_best(line, versions.cloned()).map(|line| line.best);
            most.is_some_and(|most| reached.is_none_or(|reached| *reached < most))
        };
        let variants = self.manifests.variants(self.judge.platform()).into_iter().rev();
        let more: Vec<Variant> =
            variants.filter(|variant| !found.asked.contains(variant) && may_come_to_more(variant)).collect();
        self.ask(&more, &set, found)?;
        found.lines.sort_by(|a, b| b.best.cmp(&a.best));
        Ok(!found.lines.is_empty())
    }

    fn installed_torch(&self) -> Option<&Version> {
        let installed = self.installed.iter().find(|pin| pin.name == torch() && !self.asked.upgrade);
        installed.map(|pin| &pin.version)
    }

    fn ask(
        &self,
        variants: &[Variant],
        set: &Ranges<Version>,
        found: &mut Found<'a, P::Error>,
    ) -> Result<(), ResolveError<P::Error>> {
        let indexes = variants.iter().filter(|_| !self.homes.no_index()).map(|variant| self.homes.pytorch(variant));
        let pages: Vec<_> = indexes.map(|index| (index, torch())).collect();
        self.pages.prefetch(&pages, &[]);
        found.asked.extend(variants.iter().cloned());
        for variant in variants {
            let line = self.line(TorchSource::Pytorch(variant.clone()), false);
            if self.homes.no_index() {
                self.add(line, set, found)?;
                continue;
            }
            let before = found.lines.len();
            let has_page = match self.pages.page(&self.homes.pytorch(variant), &torch()) {
                Ok(page) => page.is_some(),
                Err(error) if error.unreachable() => {
                    // Decided once: what does not answer for one variant is not asked for the others.
                    found.unreachable.get_or_insert(error);
                    false
                }
                Err(error) => return Err(ResolveError::Pages(error)),
            };
            if has_page || self.homes.links().next().is_some() {
                self.add(line, set, found)?;
            }
            if !has_page && found.lines.len() == before && found.unreachable.is_none() {
                let channel = match self.homes.channel() {
                    Channel::Stable => String::new(),
                    channel => format!(" in its {channel} channel"),
                };
                found.lacking.push(format!("the PyTorch index has no page of torch for {variant}{channel}"));
            }
            if found.unreachable.is_some() && self.homes.links().next().is_none() {
                break;
            }
        }
        Ok(())
    }

    fn add(
        &self,
        line: Line<'a>,
        set: &Ranges<Version>,
        found: &mut Found<'a, P::Error>,
    ) -> Result<(), ResolveError<P::Error>> {
        let projects = Projects::new(self.pages, self.homes, self.tags, self.admission, Some(line.source.clone()));
        let project = match projects.project(&torch()) {
            Ok(project) => project,
            Err(error) if error.unreachable() && matches!(line.source, TorchSource::Pytorch(_)) => return Ok(()),
            Err(error) if error.unreachable() && !found.lines.is_empty() => return Ok(()),
            Err(error) => return Err(ResolveError::Pages(error)),
        };
        let pre_releases = self.asked.pre_releases(&torch()) || self.homes.channel_has_pre_releases(&torch());
        let versions = project.choices(set, pre_releases).map(|(version, _)| version.clone());
        let place = line.place();
        match self.with_best(line, versions) {
            Some(line) => found.lines.push(line),
            None if !project.found => {}
            None => found.lacking.push(match project.nearest_miss(set) {
                Some(miss) => format!("{place} has torch, and {}", miss_in_words(miss)),
                None => format!("{place} has no {} that serves this machine", ranges::named(TORCH, set)),
            }),
        }
        Ok(())
    }

    fn with_best(&self, mut line: Line<'a>, versions: impl Iterator<Item = Version>) -> Option<Line<'a>> {
        line.best = line.best(versions, self.installed_torch())?;
        Some(line)
    }

    fn line(&self, source: TorchSource, stands_in: bool) -> Line<'a> {
        let nothing = Best {
            installed: false,
            release: Version::new([0]),
            code_for_every_card: false,
            native: false,
            cuda: CudaPreference::None,
            default_index: false,
        };
        Line {
            source,
            best: nothing,
            stands_in,
            named: matches!(self.wanted, VariantChoice::Named(_)),
            kept: self.installed_torch().cloned(),
            channel: self.homes.channel(),
            judge: self.judge,
            manifests: self.manifests,
            wanted: self.wanted,
        }
    }

    /// The variants worth asking the PyTorch index for: those of the newest releases that serve, the others if these give
    /// nothing.
    fn variants<'s>(&'s self, set: &'s Ranges<Version>) -> Box<dyn Iterator<Item = Vec<Variant>> + 's> {
        let one = |variants| Box::new(std::iter::once(variants));
        match self.wanted {
            VariantChoice::Named(variant) => return one(vec![variant.clone()]),
            VariantChoice::Auto if self.judge.platform().os == Os::Macos => return Box::new(std::iter::empty()),
            VariantChoice::Auto if self.judge.gpus().is_empty() => {
                let kept = self.installed_torch().filter(|version| set.contains(version)).and_then(variant_of);
                let kept = kept.filter(|variant| *variant != Variant::Cpu);
                return one(std::iter::once(Variant::Cpu).chain(kept).collect());
            }
            VariantChoice::Auto => {}
        }
        let mut recent: Vec<Variant> = self.serving(set).take(RECENT).flatten().collect();
        if self.newest().is_some_and(|newest| admits_newer(set, newest)) {
            // A release that is not known yet has the variants that are alive, whichever older ones the set has.
            recent.extend(self.serving(&Ranges::full()).take(RECENT).flatten());
        }
        recent.sort();
        recent.dedup();
        recent.reverse();
        // What is not released yet is not built for what only older releases were.
        if self.homes.channel() != Channel::Stable && !recent.is_empty() {
            let there = self.manifests.channel_variants(self.homes.channel());
            recent.retain(|variant| there.is_empty() || there.contains(variant));
            return one(recent);
        }
        let others = {
            let recent = recent.clone();
            move || self.others(set, &recent)
        };
        Box::new(std::iter::once(recent).chain(std::iter::once_with(others)))
    }

    /// The variants that some release in the set serves with, or may, beside those that were asked for.
    fn others(&self, set: &Ranges<Version>, asked: &[Variant]) -> Vec<Variant> {
        let known: Vec<&Version> = self.releases(set).collect();
        // A release that is not known yet is taken to be like the newest known one.
        let versions: Vec<&Version> = if known.is_empty() { self.newest().into_iter().collect() } else { known };
        let serves = |variant: &Variant| {
            let mut versions = versions.iter().rev();
            versions.any(|version| self.may_have(version, variant) && self.judge.judge(version, variant, false).is_ok())
        };
        let variants = self.manifests.variants(self.judge.platform());
        variants.into_iter().rev().filter(|variant| !asked.contains(variant) && serves(variant)).collect()
    }

    /// The releases that have a build for this machine and its Python, newest first: the variants of each.
    fn serving<'s>(&'s self, set: &'s Ranges<Version>) -> impl Iterator<Item = Vec<Variant>> + 's {
        let platform = self.judge.platform();
        let releases = self.manifests.releases().iter().rev().filter(|release| allows(set, &release.version));
        let variants = move |release: &Release| -> Vec<Variant> {
            let serves = |build: &&Build| {
                build.platform == *platform
                    && self.is_among(release.pythons_of(build))
                    && self.judge.judge(&release.version, &build.variant, false).is_ok()
            };
            release.builds.iter().filter(serves).map(|build| build.variant.clone()).collect()
        };
        releases.map(variants).filter(|variants| !variants.is_empty())
    }

    /// Whether a release may have a variant.
    ///
    /// What is known of the newest releases is not complete: they may have any variant that one of them has.
    fn may_have(&self, version: &Version, variant: &Variant) -> bool {
        let platform = self.judge.platform();
        let known = self.manifests.releases();
        let newest = known.get(known.len().saturating_sub(RECENT)..).unwrap_or_default();
        self.manifests.build(version, platform, variant).is_some()
            || (newest.iter().any(|release| release.version == *version)
                && newest.iter().any(|release| self.manifests.build(&release.version, platform, variant).is_some()))
    }

    /// Whether a release is known to have wheels, and none of a variant for this Python.
    fn is_for_other_pythons(&self, version: &Version, variant: &Variant) -> bool {
        let Some(release) = self.manifests.release(version) else { return false };
        let build = self.manifests.build(version, self.judge.platform(), variant);
        let pythons = build.map_or(release.pythons.as_slice(), |build| release.pythons_of(build));
        !self.is_among(pythons)
    }

    /// Whether this Python is one of these; where none are known it may be.
    fn is_among(&self, pythons: &[PythonAbi]) -> bool {
        pythons.is_empty() || self.judge.python().is_none_or(|python| pythons.contains(&python))
    }

    /// Whether PyPI's own torch may be what is wanted, by what the manifests say of it.
    fn default_may_serve(&self, set: &Ranges<Version>) -> bool {
        if self.homes.channel() != Channel::Stable {
            return false;
        }
        let line = self.line(TorchSource::Default, false);
        let unknown = self.newest().filter(|newest| admits_newer(set, newest) || self.releases(set).next().is_none());
        unknown.into_iter().chain(self.releases(set).rev()).any(|version| line.judge(version).is_ok())
    }

    /// The newest known release, which one that is not known is taken to be like.
    fn newest(&self) -> Option<&Version> {
        self.manifests.releases().last().map(|release| &release.version)
    }

    fn releases<'s>(&'s self, set: &'s Ranges<Version>) -> impl DoubleEndedIterator<Item = &'s Version> {
        let versions = self.manifests.releases().iter().map(|release| &release.version);
        versions.filter(|version| allows(set, version))
    }

    /// The builds of known releases in a set that do not serve, newest release first, the nearest miss first in each.
    pub fn rejected(&self, set: &Ranges<Version>) -> Vec<RejectedBuild> {
        rejected(self.manifests, self.judge, self.wanted, set)
    }
}

/// How many releases say which variants are alive.
const RECENT: usize = 3;

/// Whether a set has the release, with or without a label.
pub fn allows(set: &Ranges<Version>, release: &Version) -> bool {
    set.contains(release) || !set.intersection(&ranges::exactly(release)).is_empty()
}

/// Whether a set has releases above this one.
fn admits_newer(set: &Ranges<Version>, newest: &Version) -> bool {
    let above = Ranges::strictly_higher_than(newest.clone()).intersection(&ranges::exactly(newest).complement());
    !set.intersection(&above).is_empty()
}

/// The builds of known releases in a set that do not serve, newest release first, the nearest miss first in each.
pub fn rejected(
    manifests: &Manifests,
    judge: &Judge,
    wanted: &VariantChoice,
    set: &Ranges<Version>,
) -> Vec<RejectedBuild> {
    let named = matches!(wanted, VariantChoice::Named(_));
    let mut builds = Vec::new();
    for release in manifests.releases().iter().rev().filter(|release| allows(set, &release.version)) {
        let mut of_release: Vec<RejectedBuild> = Vec::new();
        for build in release.builds.iter().filter(|build| build.platform == *judge.platform()) {
            let considered = match wanted {
                VariantChoice::Named(variant) => *variant == build.variant,
                VariantChoice::Auto => match build.variant {
                    Variant::Cpu => judge.gpus().is_empty(),
                    Variant::Cuda(_) => !judge.gpus().is_empty(),
                    Variant::Other(_) => false,
                },
            };
            if let Err(reason) = judge.judge(&release.version, &build.variant, named)
                && considered
                && reason != Unfit::Unadvertised
            {
                let (version, variant) = (release.version.clone(), build.variant.clone());
                of_release.push(RejectedBuild { version, variant, reason });
            }
        }
        of_release.sort_by(|a, b| b.reason.cmp(&a.reason).then_with(|| b.variant.cmp(&a.variant)));
        builds.append(&mut of_release);
    }
    builds
}

/// Why the nearest wheel of a version does not fit, as the end of a sentence.
pub fn miss_in_words(miss: Miss) -> &'static str {
    match miss {
        Miss::Incompatible(Incompatible::Python) => "no wheel of it is for this Python version",
        Miss::Incompatible(Incompatible::Abi) => "no wheel of it is for the ABI of this Python",
        Miss::Incompatible(Incompatible::Platform) => "no wheel of it is for this platform",
        Miss::TooNew => "what fits was uploaded too late for `--exclude-newer`",
        Miss::NoUploadTime => "no index says when what fits was uploaded, which `--exclude-newer` goes by",
        Miss::NoHashListed => "hashes are required and no requirement lists one of it",
        Miss::AnotherHash => "no wheel of it that fits has a hash that is listed",
    }
}

#[allow(clippy::expect_used, reason = "a constant")]
pub fn torch() -> PackageName {
    TORCH.parse().expect("`torch` is a valid name")
}
