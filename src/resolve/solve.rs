//! From machine, request and pages to one resolution.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use pep508_rs::MarkerEnvironment;
use pubgrub::{PubGrubError, SelectedDependencies};

use super::admission::Admission;
use super::elsewhere::{self, Origin};
use super::explain::{Proof, proof};
use super::explanation::{Explanation, Weight};
use super::fit::{Judge, cuda_of};
use super::line::{Best, Found, Line, Lines, torch};
use super::projects::{Projects, variant_of};
use super::provider::{Provider, Stop, TORCH, request_version};
use super::ways_out::{self, Refusal};
use super::{Asked, InstalledPin, Resolution, ResolveError, ResolverPackage, TorchChoice, ranges, reasons};
use crate::catalog::{Homes, Manifests, Pages, TorchSource};
use crate::lock::LockedWheel;
use crate::machine::{CompatibleTags, Machine, markers_of};
use crate::request::{Request, VariantChoice};
use crate::vocab::{Channel, Moment, PackageName, Variant, Version};

/// Finds one consistent set of wheels for a request on a machine.
///
/// `installed` is kept where a solution allows, unless the request asks to upgrade.
pub fn resolve<P: Pages>(
    machine: &Machine,
    request: &Request,
    manifests: &Manifests,
    pages: &P,
    installed: &[InstalledPin],
) -> Result<Resolution, ResolveError<P::Error>> {
    let markers = markers_of(machine)?;
    let tags = CompatibleTags::of(machine)?;
    let asked = Asked::of(request, &markers)?;
    let kept = |name: &PackageName| !asked.upgrade && installed.iter().any(|pin| pin.name == *name);
    let names: BTreeSet<&PackageName> = asked.without_hash().filter(|name| !kept(name)).collect();
    if !names.is_empty() {
        return Err(ResolveError::NoHashListed { names: names.into_iter().map(ToString::to_string).collect() });
    }
    let exclude_newer = request.files.exclude_newer;
    // Where newer files do not exist, newer releases do not either.
    let manifests = exclude_newer.map_or(Cow::Borrowed(manifests), |bound| Cow::Owned(manifests.before(bound)));
    let manifests = manifests.as_ref();
    let homes = Homes::of(&request.indexes, manifests);
    let judge = Judge::new(machine, manifests);
    let wanted = wanted(request, &asked);
    let solver =
        Solver { machine, manifests, pages, installed, markers, tags, asked, exclude_newer, homes, judge, wanted };
    solver.run()
}

/// The variant that is wanted: named by itself, or by the label of a pinned torch.
pub(super) fn wanted(request: &Request, asked: &Asked) -> VariantChoice {
    let label = ranges::pinned(&asked.versions(TORCH)).and_then(|pin| variant_of(&pin));
    match (&request.variant, label) {
        (VariantChoice::Auto, Some(variant)) => VariantChoice::Named(variant),
        (choice, _) => choice.clone(),
    }
}

struct Solver<'a, P: Pages> {
    machine: &'a Machine,
    manifests: &'a Manifests,
    pages: &'a P,
    installed: &'a [InstalledPin],
    markers: MarkerEnvironment,
    tags: CompatibleTags,
    asked: Asked,
    exclude_newer: Option<Moment>,
    homes: Homes<'a>,
    judge: Judge<'a>,
    wanted: VariantChoice,
}

/// One solution and its torch.
struct Solved {
    resolution: Resolution,
    torch: Option<Version>,
    origins: Vec<Origin>,
}

/// Whether torch's family may be chosen where no source of it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// That it turns up ends the attempt.
    Undecided,
    /// It has no versions.
    Absent,
}

/// Why one source has no solution.
enum Failed<E: std::error::Error + 'static> {
    Proof(Proof),
    SourceNeeded,
    Error(ResolveError<E>),
}

impl<P: Pages> Solver<'_, P> {
    fn run(&self) -> Result<Resolution, ResolveError<P::Error>> {
        if let Some(contradiction) = self.contradiction() {
            return Err(contradiction);
        }
        let family = |name: &PackageName| self.manifests.family_member(name).is_some();
        if self.asked.requirements.iter().any(|requirement| family(&requirement.name)) {
            return self.with_torch();
        }
        match self.attempt(None, Family::Undecided) {
            Ok(solved) => return Ok(self.with_names_elsewhere(solved, None)),
            Err(Failed::SourceNeeded) => {}
            Err(Failed::Proof(proof)) => return Err(self.no_solution(proof)),
            Err(Failed::Error(error)) => return Err(error),
        }
        match self.with_torch() {
            // Some other choice of versions may need no torch at all.
            Err(refusal @ ResolveError::NoSolution { .. }) => match self.attempt(None, Family::Absent) {
                Ok(solved) => Ok(self.with_names_elsewhere(solved, None)),
                Err(_) => Err(refusal),
            },
            answer => answer,
        }
    }

    /// What of the request rules itself out, whatever the indexes have.
    fn contradiction(&self) -> Option<ResolveError<P::Error>> {
        let asked = &self.asked;
        let by_version = asked.requirements.iter().filter(|wish| !asked.direct.contains_key(&wish.name));
        let name = by_version.map(|wish| &wish.name).find(|name| asked.versions(name.as_ref()).is_empty())?;
        let wishes = asked.requirements.iter().filter(|wish| wish.name == *name).map(|wish| format!("`{wish}`"));
        let constraint = asked.constraint(name).map(|set| format!("the constraint `{}`", ranges::named(name, set)));
        let all: Vec<String> = wishes.chain(constraint).collect();
        let message = format!("no version of {name} can satisfy {}", all.join(" and "));
        Some(ResolveError::NoSolution { message, explanation: Explanation::default(), hints: Vec::new() })
    }

    fn with_torch(&self) -> Result<Resolution, ResolveError<P::Error>> {
        self.check_gpus()?;
        let lines = Lines {
            judge: &self.judge,
            manifests: self.manifests,
            homes: &self.homes,
            tags: &self.tags,
            pages: self.pages,
            asked: &self.asked,
            admission: self.admission(),
            wanted: &self.wanted,
            installed: self.installed,
        };
        let mut found = lines.find()?;
        let set = self.asked.versions(TORCH);
        let mut chosen: Option<(Best, Line, Solved)> = None;
        let mut first_proof = None;
        'sources: loop {
            for line in std::mem::take(&mut found.lines) {
                if chosen.as_ref().is_some_and(|(best, ..)| *best >= line.best) {
                    break;
                }
                match self.attempt(Some(&line), Family::Undecided) {
                    Ok(solved) => {
                        let reached = self.reached(&line, &solved);
                        if chosen.as_ref().is_none_or(|(best, ..)| reached > *best) {
                            chosen = Some((reached, line, solved));
                        }
                    }
                    Err(Failed::Proof(proof)) => {
                        let elsewhere = proof.depends_on_source;
                        first_proof.get_or_insert(proof);
                        if !elsewhere {
                            break 'sources;
                        }
                    }
                    Err(Failed::SourceNeeded) => return Err(ResolveError::Solver("a source was chosen".to_owned())),
                    Err(Failed::Error(error)) => return Err(error),
                }
            }
            if !lines.find_more(chosen.as_ref().map(|(best, ..)| best), &mut found)? {
                break;
            }
        }
        match (chosen, first_proof) {
            (Some((_, line, mut solved)), _) => {
                solved.resolution.unfit = reasons::newer_than(lines.rejected(&set), solved.torch.as_ref());
                self.tell(&mut solved, &line, &found);
                Ok(self.with_names_elsewhere(solved, Some(&line.source)))
            }
            (None, Some(proof)) => match found.unreachable {
                // The index would not have helped where the proof has nothing to do with torch.
                Some(source) if proof.depends_on_source => {
                    Err(self.unreachable(source, proof.explanation, proof.hints))
                }
                _ => Err(self.no_solution(proof)),
            },
            (None, None) => Err(self.nothing_fits(found)),
        }
    }

    fn admission(&self) -> Admission<'_> {
        Admission::new(self.exclude_newer, &self.asked, self.manifests, self.installed)
    }

    /// The resolution, with a word on the names that other indexes have as well.
    fn with_names_elsewhere(&self, solved: Solved, source: Option<&TorchSource>) -> Resolution {
        let mut resolution = solved.resolution;
        resolution.warnings.extend(elsewhere::told(self.pages, &self.homes, source, &solved.origins));
        resolution
    }

    /// How good the torch is that a source really led to.
    fn reached(&self, line: &Line, solved: &Solved) -> Best {
        let installed = self.installed.iter().find(|pin| pin.name == torch() && !self.asked.upgrade);
        let torch = solved.torch.as_ref();
        torch
            .and_then(|torch| line.best_of(torch, installed.map(|pin| &pin.version)))
            .unwrap_or_else(|| line.best.clone())
    }

    /// What decides must be known: which GPUs, and what they are.
    fn check_gpus(&self) -> Result<(), ResolveError<P::Error>> {
        if matches!(self.wanted, VariantChoice::Named(Variant::Cpu | Variant::Other(_))) {
            return Ok(());
        }
        let Some(gpus) = &self.machine.gpus else {
            return match self.wanted {
                VariantChoice::Auto => Err(ResolveError::GpusUnknown),
                VariantChoice::Named(_) => Ok(()),
            };
        };
        match gpus.iter().find(|gpu| gpu.compute_capability.is_none()) {
            Some(gpu) => Err(ResolveError::CapabilityUnknown { gpu: super::fit::title(gpu) }),
            None => Ok(()),
        }
    }

    fn attempt(&self, line: Option<&Line>, family: Family) -> Result<Solved, Failed<P::Error>> {
        let source = line.map(|line| line.source.clone());
        let projects = Projects::new(self.pages, &self.homes, &self.tags, self.admission(), source);
        // What is asked for by URL needs no page.
        let asked = self.asked.requirements.iter().map(|requirement| &requirement.name);
        let names: Vec<PackageName> = asked.filter(|name| !self.asked.direct.contains_key(*name)).cloned().collect();
        projects.prefetch(&names);
        let mut provider =
            Provider::new(self.machine, self.manifests, &self.asked, &self.markers, self.installed, projects, line);
        provider.without_family = family == Family::Absent;
        match pubgrub::resolve(&provider, ResolverPackage::Request, request_version()) {
            Ok(selected) => self.solved(&provider, &selected, line).map_err(Failed::Error),
            Err(PubGrubError::NoSolution(tree)) => Err(Failed::Proof(proof(&provider, tree))),
            Err(
                PubGrubError::ErrorRetrievingDependencies { source, .. }
                | PubGrubError::ErrorChoosingVersion { source, .. }
                | PubGrubError::ErrorInShouldCancel(source),
            ) => Err(match source {
                Stop::Pages(error) => Failed::Error(ResolveError::Pages(error)),
                Stop::SourceNeeded => Failed::SourceNeeded,
                Stop::TooHard(reason) => Failed::Error(ResolveError::TooHard(reason)),
            }),
        }
    }

    fn solved(
        &self,
        provider: &Provider<'_, P>,
        selected: &SelectedDependencies<ResolverPackage, Version>,
        line: Option<&Line>,
    ) -> Result<Solved, ResolveError<P::Error>> {
        let known = provider.known.borrow();
        let edges = selected.iter().flat_map(|(package, version)| {
            let needs = known.get(&(package.clone(), version.clone())).into_iter().flatten();
            needs.map(move |(child, _)| (package, version, child))
        });
        let parents = reasons::required_by(edges);
        let (mut wheels, mut origins) = (BTreeMap::new(), Vec::new());
        for (package, version) in selected.iter() {
            let ResolverPackage::Distribution(name) = package else { continue };
            let artifact = provider
                .artifact(name, version)
                .ok_or_else(|| ResolveError::Solver(format!("{name} {version} has no wheel")))?;
            let requested = self.asked.names(name);
            let why = match parents.get(name) {
                Some(why) if !requested => why.clone(),
                _ => "asked for".to_owned(),
            };
            let direct = self.asked.direct.contains_key(name);
            if !direct {
                origins.push((name.clone(), artifact.index.clone()));
            }
            // Where the page states no hash and one is listed, it is that one.
            let listed = || self.asked.hashes(name).filter(|listed| listed.len() == 1)?.first().copied();
            let wheel = LockedWheel {
                name: name.clone(),
                version: version.clone(),
                file_name: artifact.file_name.clone(),
                url: artifact.url.clone(),
                sha256: artifact.sha256.or_else(listed),
                size: artifact.size,
                requested,
                direct,
                why,
            };
            wheels.insert(name.clone(), wheel);
        }
        let wheels: Vec<LockedWheel> = wheels.into_values().collect();
        let version = wheels.iter().find(|wheel| wheel.name == torch()).map(|wheel| wheel.version.clone());
        let choice = version.as_ref().zip(line).and_then(|(version, line)| self.choice(line, version, &wheels));
        let mut warnings: Vec<String> = provider.warnings.borrow().iter().cloned().collect();
        warnings.extend(provider.projects.undated().into_iter().map(|name| {
            format!(
                "files of {name} are left out because no one says when they were uploaded, and a bound on that is set"
            )
        }));
        warnings.extend(provider.projects.faults());
        warnings.extend(wheels.iter().filter_map(|wheel| provider.passed_over(&wheel.name, &wheel.version)));
        origins.sort();
        let resolution = Resolution { wheels, torch: choice, reasons: Vec::new(), warnings, unfit: Vec::new() };
        Ok(Solved { resolution, torch: version, origins })
    }

    fn choice(&self, line: &Line, version: &Version, wheels: &[LockedWheel]) -> Option<TorchChoice> {
        let variant = line.variant(version)?;
        let build = self.manifests.build(version, self.judge.platform(), &variant);
        let cuda = cuda_of(build, &variant);
        let pinned = wheels.iter().find(|wheel| wheel.name.as_ref().starts_with("nvidia-cudnn"));
        let known = build.and_then(|build| build.cudnn.clone());
        let elsewhere = || self.manifests.cudnn_elsewhere(version, &variant).cloned();
        let cudnn = pinned.map(|wheel| wheel.version.clone()).or(known).or_else(elsewhere);
        Some(TorchChoice { version: version.clone(), variant, cuda, cudnn: cudnn.filter(|_| cuda.is_some()) })
    }

    fn tell(&self, solved: &mut Solved, line: &Line, found: &Found<'_, P::Error>) {
        let Some(version) = solved.torch.clone() else { return };
        let mut told = reasons::Told::default();
        reasons::machine(&mut told, self.machine, &self.judge);
        if let Some(error) = &found.unreachable {
            told.reason(format!("the PyTorch index cannot be reached: {error}"));
        }
        told.reasons.extend(found.lacking.iter().cloned());
        reasons::choice(&mut told, line, &version, &self.wanted, &self.judge, &solved.resolution.unfit);
        if line.source == TorchSource::Default && variant_of(&version).is_none() && found.unreachable.is_some() {
            told.reason(format!("torch {version} and its family come from the default index"));
        }
        let wheels = &solved.resolution.wheels;
        let come = wheels.iter().map(|wheel| (&wheel.name, &wheel.version));
        let stay = self.installed.iter().filter(|pin| wheels.iter().all(|wheel| wheel.name != pin.name));
        let others: Vec<_> = come.chain(stay.map(|pin| (&pin.name, &pin.version))).collect();
        reasons::limits(&mut told, self.manifests, self.machine.os, &version, &others);
        if found.unreachable.is_some() {
            let better = self.judge.preferred(&self.wanted, &self.asked.versions(TORCH));
            let ours = line.variant(&version).map(|variant| format!("{}+{variant}", version.clone().without_local()));
            if let Some(better) = better.filter(|better| Some(better.title()) != ours && !line.best.installed) {
                told.reason(format!("with the PyTorch index at hand it would be torch {}", better.title()));
            }
        }
        solved.resolution.reasons = told.reasons;
        solved.resolution.warnings.extend(told.warnings);
    }

    fn no_solution(&self, proof: Proof) -> ResolveError<P::Error> {
        let asked: Vec<String> = self
            .asked
            .requirements
            .iter()
            .map(|requirement| {
                // A requirement's own text may carry a URL with credentials.
                match self.asked.direct.get(&requirement.name) {
                    Some(_) => requirement.name.to_string(),
                    None => requirement.to_string(),
                }
            })
            .collect();
        let set = self.asked.versions(TORCH);
        let mut hints = proof.hints;
        hints.extend(elsewhere::hints(self.pages, &self.homes, &self.asked));
        hints.extend(ways_out::hints(self.machine, self.manifests, &self.wanted, &set));
        if self.asked.lists_hashes() {
            hints.push(super::error::LIST_HASHES.to_owned());
        }
        hints.truncate(ways_out::AT_MOST);
        let message = format!("no set of wheels satisfies `{}` on this machine", asked.join(" "));
        ResolveError::NoSolution { message, explanation: proof.explanation, hints }
    }

    fn unreachable(&self, source: P::Error, explanation: Explanation, hints: Vec<String>) -> ResolveError<P::Error> {
        use crate::vocab::Diagnostic as _;
        let url = super::asked::without_credentials(self.homes.torch_root());
        let channel = self.homes.channel();
        if channel != Channel::Stable {
            let mut explanation = Explanation::default();
            let path = self.manifests.channel_path(channel);
            explanation.push(Weight::Fact, format!("{channel} builds come from `{url}/{path}/` and from nowhere else"));
            let mut hints = vec!["leave out `--channel` for the newest release".to_owned()];
            hints.extend(source.hints());
            return ResolveError::TorchIndexUnreachable { url, source, explanation, hints };
        }
        let mut all = source.hints();
        all.extend(hints);
        ResolveError::TorchIndexUnreachable { url, source, explanation, hints: all }
    }

    fn nothing_fits(&self, found: Found<'_, P::Error>) -> ResolveError<P::Error> {
        let set = self.asked.versions(TORCH);
        let Refusal { message, mut explanation, hints } =
            ways_out::refusal(self.machine, self.manifests, &self.wanted, &set);
        // What an index lacks is no news where no build could serve.
        let would_serve = ways_out::some_build_serves(self.machine, self.manifests, &self.wanted, &set);
        if would_serve || explanation.is_empty() {
            explanation.extend(found.lacking);
        }
        match found.unreachable {
            // Where no build there is could serve, the index would not have helped.
            Some(source) if would_serve => self.unreachable(source, explanation, hints),
            _ => ResolveError::NoSolution { message, explanation, hints },
        }
    }
}
