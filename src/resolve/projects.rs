//! What each distribution has to offer this machine: the pages, read into one candidate a version.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use version_ranges::Ranges;

use super::admission::{Admission, Miss};
use super::asked::without_credentials;
use super::ranges;
use crate::catalog::{Artifact, Homes, Index, IndexKind, Page, PageFailure as _, Pages, TorchSource};
use crate::machine::{CompatibleTags, TagPriority};
use crate::vocab::{BuildTag, PackageName, Variant, Version};

/// What is known of one project.
#[derive(Debug, Default)]
pub struct Project {
    /// One candidate a version.
    pub versions: BTreeMap<Version, Candidate>,
    /// Whether some index has a page of it.
    pub found: bool,
    /// How many files were passed over, source distributions mostly.
    pub skipped: usize,
    /// Whether files were left out because no one says when they were uploaded.
    pub undated: bool,
    /// What is wrong with its page, in a sentence, where something is.
    pub fault: Option<String>,
}

/// One version of a project.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The wheel that fits this machine best, or why none does.
    pub wheel: Result<Rc<Artifact>, Miss>,
    rank: Option<(TagPriority, Option<BuildTag>)>,
}

impl Candidate {
    /// The wheel, where one fits.
    pub fn artifact(&self) -> Option<&Rc<Artifact>> {
        self.wheel.as_ref().ok()
    }

    fn yanked(&self) -> bool {
        self.artifact().is_some_and(|artifact| artifact.yanked.is_some())
    }
}

impl Project {
    /// Whether any of its final versions has a wheel for this machine.
    pub fn has_final(&self) -> bool {
        self.versions
            .iter()
            .any(|(version, candidate)| !version.any_prerelease() && candidate.wheel.is_ok() && !candidate.yanked())
    }

    /// The versions in a set that may be chosen, newest first.
    ///
    /// A yanked version only where the set pins it; a pre-release only where those are `allowed` or there is nothing else.
    pub fn choices<'a>(
        &'a self,
        set: &'a Ranges<Version>,
        pre_releases: bool,
    ) -> impl Iterator<Item = (&'a Version, &'a Rc<Artifact>)> + 'a {
        let pin = ranges::pinned(set);
        let pre_releases = pre_releases || pin.as_ref().is_some_and(Version::any_prerelease) || !self.has_final();
        self.versions.iter().rev().filter_map(move |(version, candidate)| {
            let wanted = set.contains(version)
                && (pre_releases || !version.any_prerelease())
                && (pin.is_some() || !candidate.yanked());
            Some((version, candidate.artifact().filter(|_| wanted)?))
        })
    }

    /// Why no version in a set can be chosen: what came nearest.
    pub fn nearest_miss(&self, set: &Ranges<Version>) -> Option<Miss> {
        let inside = self.versions.iter().filter(|(version, _)| set.contains(version));
        inside.filter_map(|(_, candidate)| candidate.wheel.as_ref().err().copied()).max()
    }

    /// Takes note of the files on a page that cannot be used: how many there are, and what is wrong with the first.
    fn note_faults(&mut self, index: &Index, name: &PackageName, page: &Page) {
        let mut faults = page.skipped.iter().filter(|skipped| skipped.reason.is_fault());
        if let Some(first) = faults.next() {
            let index = without_credentials(&index.url);
            self.fault = Some(match faults.count() {
                0 => format!("a file of `{name}` on `{index}` cannot be used, and is passed over: {first}"),
                others => format!(
                    "{} files of `{name}` on `{index}` cannot be used, and are passed over; of the first: {first}",
                    others + 1
                ),
            });
        }
    }

    fn add(&mut self, artifact: &Artifact, tags: &CompatibleTags, admission: &Admission) {
        let fit = tags.fit(&artifact.file_name).map_err(Miss::Incompatible);
        let fit = fit.and_then(|priority| admission.judge(artifact).map(|()| priority));
        self.undated |= fit == Err(Miss::NoUploadTime);
        let rank = fit.ok().map(|priority| (priority, artifact.file_name.build.clone()));
        let version = artifact.file_name.version.clone();
        let wheel = fit.map(|_| Rc::new(artifact.clone()));
        match self.versions.get_mut(&version) {
            None => {
                self.versions.insert(version, Candidate { wheel, rank });
            }
            Some(candidate) => {
                let yanked = |candidate: &Candidate| std::cmp::Reverse(candidate.yanked());
                let hashed = |candidate: &Candidate| candidate.artifact().is_some_and(|file| file.sha256.is_some());
                // Where hashes are listed, a file that is known to have one comes before any that may not.
                let listed = |candidate: &Candidate| !admission.lists_hashes() || hashed(candidate);
                let new = Candidate { wheel, rank };
                // `None` ranks below every tag; of two equal files the first on the page stays.
                let better = match (&new.wheel, &candidate.wheel) {
                    (Err(new), Err(old)) => new > old,
                    _ => {
                        (new.rank.is_some(), listed(&new), yanked(&new), &new.rank)
                            > (candidate.rank.is_some(), listed(candidate), yanked(candidate), &candidate.rank)
                    }
                };
                if better {
                    *candidate = new;
                }
            }
        }
    }
}

/// The pages of one solution, each read once.
pub struct Projects<'a, P: Pages> {
    pages: &'a P,
    homes: &'a Homes<'a>,
    tags: &'a CompatibleTags,
    admission: Admission<'a>,
    source: Option<TorchSource>,
    known: RefCell<HashMap<PackageName, Rc<Project>>>,
    lost: RefCell<HashMap<PackageName, Rc<Project>>>,
    links: OnceCell<Vec<Index>>,
}

impl<'a, P: Pages> Projects<'a, P> {
    /// The pages as they are where torch comes from `source`.
    pub fn new(
        pages: &'a P,
        homes: &'a Homes<'a>,
        tags: &'a CompatibleTags,
        admission: Admission<'a>,
        source: Option<TorchSource>,
    ) -> Self {
        let (known, lost) = Default::default();
        Self { pages, homes, tags, admission, source, known, lost, links: OnceCell::new() }
    }

    /// Where torch comes from.
    pub fn source(&self) -> Option<&TorchSource> {
        self.source.as_ref()
    }

    /// Whether the channel that is asked for lets pre-releases of a distribution be chosen.
    pub fn channel_has_pre_releases(&self, name: &PackageName) -> bool {
        self.homes.channel_has_pre_releases(name)
    }

    /// The project of this name, from its home and the folders of links.
    pub fn project(&self, name: &PackageName) -> Result<Rc<Project>, P::Error> {
        if let Some(project) = self.known.borrow().get(name) {
            return Ok(project.clone());
        }
        let mut project = Project::default();
        for index in self.links.get_or_init(|| self.homes.links().collect()) {
            let page = self.pages.page(index, name)?;
            if let Some(page) = &page {
                project.note_faults(index, name, page);
            }
            for artifact in page.iter().flat_map(|page| &page.artifacts) {
                if self.of_this_source(name, artifact) {
                    project.found = true;
                    project.add(artifact, self.tags, &self.admission);
                }
            }
        }
        for index in self.homes.home(name, self.source()).indexes {
            match self.pages.page(&index, name) {
                Ok(None) => {}
                Ok(Some(page)) => {
                    project.found = true;
                    project.skipped = page.skipped.len();
                    project.note_faults(&index, name, &page);
                    for artifact in page.artifacts.iter().filter(|artifact| self.is_built_for(name, &index, artifact)) {
                        project.add(artifact, self.tags, &self.admission);
                    }
                    // A page of torch's index whose files have no dates is no home where dates decide.
                    let undated = project.undated && project.versions.values().all(|version| version.wheel.is_err());
                    if !(undated && index.kind == IndexKind::Pytorch) {
                        break;
                    }
                }
                // What lies in a folder at hand needs no server.
                Err(error) if error.unreachable() && project.found => break,
                Err(error) => return Err(error),
            }
        }
        let project = Rc::new(project);
        self.known.borrow_mut().insert(name.clone(), project.clone());
        Ok(project)
    }

    /// What the PyTorch index has of a project whose home lacks a pinned version.
    pub fn lost_pins(&self, name: &PackageName) -> Result<Option<Rc<Project>>, P::Error> {
        let Some(index) = self.homes.home(name, self.source()).for_lost_pins else { return Ok(None) };
        if let Some(project) = self.lost.borrow().get(name) {
            return Ok(Some(project.clone()));
        }
        let mut project = Project::default();
        match self.pages.page(&index, name) {
            Ok(page) => {
                for artifact in page.iter().flat_map(|page| &page.artifacts) {
                    project.add(artifact, self.tags, &self.admission);
                }
            }
            Err(error) if error.unreachable() => {}
            Err(error) => return Err(error),
        }
        let project = Rc::new(project);
        self.lost.borrow_mut().insert(name.clone(), project.clone());
        Ok(Some(project))
    }

    /// The projects of which files were left out because no one says when they were uploaded.
    pub fn undated(&self) -> BTreeSet<PackageName> {
        let (known, lost) = (self.known.borrow(), self.lost.borrow());
        let all = known.iter().chain(lost.iter()).filter(|(_, project)| project.undated);
        all.map(|(name, _)| name.clone()).collect()
    }

    /// The project as it was read, if it was; asks nothing.
    pub fn read(&self, name: &PackageName) -> Option<Rc<Project>> {
        self.known.borrow().get(name).cloned()
    }

    /// The wheel of a version, wherever it was found.
    pub fn wheel(&self, name: &PackageName, version: &Version) -> Option<Rc<Artifact>> {
        let of = |projects: &RefCell<HashMap<PackageName, Rc<Project>>>| {
            projects.borrow().get(name)?.versions.get(version)?.artifact().cloned()
        };
        of(&self.known).or_else(|| of(&self.lost))
    }

    /// What is wrong with the pages that were read, a sentence a page, by name.
    pub fn faults(&self) -> Vec<String> {
        let known = self.known.borrow();
        let faults: BTreeMap<&PackageName, &String> =
            known.iter().filter_map(|(name, project)| Some((name, project.fault.as_ref()?))).collect();
        faults.into_values().cloned().collect()
    }

    /// Asks for the pages of these names while the solver goes on.
    pub fn prefetch(&self, names: &[PackageName]) {
        let known = self.known.borrow();
        let pages: Vec<_> = names
            .iter()
            .filter(|name| !known.contains_key(*name))
            .filter_map(|name| Some((self.homes.home(name, self.source()).indexes.into_iter().next()?, name.clone())))
            .collect();
        self.pages.prefetch(&pages, &[]);
    }

    /// The pages themselves.
    pub fn pages(&self) -> &'a P {
        self.pages
    }

    /// Whether a wheel in a directory of the PyTorch index is of its variant.
    ///
    /// A mirror may put PyPI's own wheels, which have no label and are for whatever CUDA PyPI has, beside the others;
    /// only those for the CPU lie there without one.
    fn is_built_for(&self, name: &PackageName, index: &Index, artifact: &Artifact) -> bool {
        let (IndexKind::Pytorch, Some(TorchSource::Pytorch(variant))) = (index.kind, &self.source) else { return true };
        if !self.homes.built_for_torch(name) || !self.homes.labelled(name) {
            return true;
        }
        match variant_of(&artifact.file_name.version) {
            Some(label) => label == *variant,
            None => variant.cuda().is_none(),
        }
    }

    /// A folder holds wheels of every variant; only those of torch's own belong to this solution.
    fn of_this_source(&self, name: &PackageName, artifact: &Artifact) -> bool {
        if !self.homes.built_for_torch(name) || !self.homes.labelled(name) {
            return true;
        }
        let label = variant_of(&artifact.file_name.version);
        match &self.source {
            Some(TorchSource::Pytorch(variant)) => label.as_ref() == Some(variant),
            Some(TorchSource::Default) => label.is_none(),
            None => true,
        }
    }
}

/// The variant that a version's local label names.
pub fn variant_of(version: &Version) -> Option<Variant> {
    let label: Vec<String> = version.local().iter().map(ToString::to_string).collect();
    // A label may go on after the variant: `cu126.with.pypi.cudnn`; `rocm6.4` has a dot of its own.
    (1..=label.len()).rev().find_map(|length| label[..length].join(".").parse().ok())
}
