//! What would help, where the facts of a proof say it.

use version_ranges::Ranges;

use super::facts::{Fact, Set};
use super::provider::{Provider, TORCH};
use super::{ResolverPackage, ranges};
use crate::catalog::Pages;
use crate::catalog::manifest::Release;
use crate::vocab::{PackageName, Version};

impl<P: Pages> Provider<'_, P> {
    /// What would help, where the facts of a proof say it.
    pub(super) fn hints_of<'f>(&self, facts: impl Iterator<Item = &'f Fact>) -> Vec<String> {
        let mut hints = Vec::new();
        for fact in facts {
            let Fact::Needs { package, needs, each } = fact else { continue };
            let Some(name) = package.distribution() else { continue };
            match needs {
                ResolverPackage::Python => hints.extend(each.first().and_then(|(_, set)| self.python_hint(name, set))),
                ResolverPackage::Distribution(torch) if torch.as_ref() == TORCH => hints.extend(self.pairs(name)),
                _ => {}
            }
        }
        hints.dedup();
        hints
    }

    fn python_hint(&self, name: &PackageName, set: &Set) -> Option<String> {
        let have = self.fact(&ResolverPackage::Python)?;
        let [major, minor, ..] = *have.release() else { return None };
        // A Python more than ten releases away is nobody's next step.
        let mut nearest = (1..=10_u64).flat_map(|steps| [minor.checked_add(steps), minor.checked_sub(steps)]).flatten();
        let would_do = |minor: &u64| {
            let least = Version::new([major, *minor]);
            let patches = Ranges::between(least.clone(), Version::new([major, minor + 1]));
            !set.intersection(&patches).is_empty()
        };
        let minor = nearest.find(would_do)?;
        Some(format!("{name} is for Python {major}.{minor}: `--python {major}.{minor}` with a new environment"))
    }

    /// Which release of a companion goes with the torch that was asked for, and the other way round.
    fn pairs(&self, companion: &PackageName) -> Vec<String> {
        let asked = |name: &str| Some(self.asked.versions(name)).filter(|set| *set != Ranges::full());
        let of = |release: &Release| match companion.as_ref() {
            "torchvision" => Some(release.torchvision.clone()),
            "torchaudio" => Some(release.torchaudio.clone()),
            _ => None,
        };
        let allows = |set: &Set, version: &Version| !set.intersection(&ranges::exactly(version)).is_empty();
        let releases = || self.manifests.releases().iter().rev();
        let for_torch = asked(TORCH).and_then(|set| releases().find(|release| allows(&set, &release.version)));
        let for_companion = asked(companion.as_ref())
            .and_then(|set| releases().find(|release| of(release).is_some_and(|version| allows(&set, &version))));
        let hint =
            |release: &Release| Some(format!("torch {} goes with {companion} {}", release.version, of(release)?));
        for_torch.into_iter().chain(for_companion).filter_map(hint).collect()
    }
}
