//! What goes with torch: its companions, what it works with, and what fails beside it.

use version_ranges::Ranges;

use super::projects::variant_of;
use super::provider::{Provider, Set, TORCH, Unusable};
use super::ranges;
use crate::catalog::Pages;
use crate::catalog::manifest::FamilyMember;
use crate::vocab::{PackageName, Version};

impl<P: Pages> Provider<'_, P> {
    /// The torchvision or torchaudio made for the torch that was chosen.
    pub(super) fn companion(&self, name: &PackageName) -> Option<Version> {
        let release = self.manifests.release(self.torch.borrow().as_ref()?)?;
        match name.as_ref() {
            "torchvision" => Some(release.torchvision.clone()),
            "torchaudio" => Some(release.torchaudio.clone()),
            _ => None,
        }
    }

    /// The versions of a distribution that the torch that was chosen is known to work with.
    pub(super) fn works_with_torch(&self, name: &PackageName) -> Set {
        let torch = self.torch.borrow();
        let limits = torch.iter().flat_map(|torch| self.manifests.limits(torch));
        let here = limits.filter(|limit| limit.name == *name && limit.os.is_none_or(|os| os == self.machine.os));
        here.fold(Ranges::full(), |all, limit| all.intersection(&ranges::of_specifiers(&limit.allowed)))
    }

    /// What was asked for by URL may be built for another variant than the torch that was chosen.
    pub(super) fn of_another_line(&self, name: &PackageName, version: &Version) -> Option<Unusable> {
        let line = self.line.filter(|_| name.as_ref() != TORCH && self.asked.direct.contains_key(name))?;
        if self.manifests.family_member(name) != Some(FamilyMember::BuiltForTorch) {
            return None;
        }
        let built_for = variant_of(version)?;
        let torch = line.variant(self.torch.borrow().as_ref()?)?;
        (built_for != torch).then_some(Unusable::OtherLine { built_for, torch })
    }

    /// The visible card that a version of a library is known to fail on.
    pub(super) fn fails_on(&self, name: &PackageName, version: &Version) -> Option<String> {
        let gpus = self.machine.gpus.as_deref().unwrap_or_default().iter();
        let mut names = gpus.filter_map(|gpu| gpu.name.clone());
        names.find(|gpu| self.manifests.library_fault(name, version, gpu).is_some())
    }

    /// The releases of torch that a torchaudio without a pin of its own was made for.
    pub(super) fn torch_made_for(&self, name: &PackageName, version: &Version) -> Option<Set> {
        if name.as_ref() != "torchaudio" {
            return None;
        }
        let public = version.clone().without_local();
        let releases = self.manifests.releases();
        let runs = releases.chunk_by(|a, b| (a.torchaudio == public) == (b.torchaudio == public));
        let made_for = runs.filter(|run| run.iter().all(|release| release.torchaudio == public));
        let mut set = Ranges::empty();
        for (first, last) in made_for.filter_map(|run| run.first().zip(run.last())) {
            // Newer releases than are known go with the newest companion.
            let open = Some(&last.version) == releases.last().map(|release| &release.version);
            let run = if open {
                Ranges::higher_than(first.version.clone())
            } else {
                ranges::between(&first.version, &last.version)
            };
            set = set.union(&run);
        }
        (!set.is_empty()).then_some(set)
    }
}
