//! One case: what is known, a machine, what the indexes list, and what is asked for.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use torchfix::catalog::Manifests;
use torchfix::request::{FileRules, Request, VariantChoice};

use super::facts::Facts;
use super::machine::Machine;
use super::need::Need;
use super::shelf::indexes;
use super::wheel::Wheel;

/// Manifests, as the solver reads them and as the oracle does.
pub struct Knowledge {
    pub facts: Facts,
    pub manifests: Manifests,
}

#[derive(Clone)]
pub struct Case {
    pub knowledge: Arc<Knowledge>,
    pub machine: Machine,
    pub wheels: Vec<Wheel>,
    pub pytorch_down: bool,
    pub needs: Vec<Need>,
    pub constraints: Vec<Need>,
    /// `--variant`
    pub variant: Option<String>,
}

impl Case {
    /// What the solver is asked.
    pub fn request(&self) -> Request {
        let parsed = |needs: &[Need]| needs.iter().map(|need| need.to_string().parse().unwrap()).collect();
        Request {
            requirements: parsed(&self.needs),
            constraints: parsed(&self.constraints),
            variant: self
                .variant
                .as_ref()
                .map_or(VariantChoice::Auto, |variant| VariantChoice::Named(variant.parse().unwrap())),
            upgrade: false,
            pre_releases: false,
            files: FileRules::default(),
            indexes: indexes(),
        }
    }

    /// Without one of its requirements.
    pub fn without(&self, place: usize) -> Self {
        let mut fewer = self.clone();
        fewer.needs.remove(place);
        fewer
    }

    /// The names that what is asked for may lead to.
    fn names(&self) -> BTreeSet<&str> {
        let mut names: BTreeSet<&str> = self.needs.iter().map(|need| need.name.as_str()).collect();
        loop {
            let reached = self.wheels.iter().filter(|wheel| names.contains(wheel.name.as_str()));
            let more: BTreeSet<&str> = reached.flat_map(|wheel| &wheel.needs).map(|need| need.name.as_str()).collect();
            if more.is_subset(&names) {
                return names;
            }
            names.extend(more);
        }
    }

    /// Whether a member of torch's family is asked for.
    pub fn asks_for_the_family(&self) -> bool {
        self.needs.iter().any(|need| need.holds(&self.machine, None) && FAMILY.contains(&need.name.as_str()))
    }
}

/// What is built against one torch and one CUDA line.
pub const FAMILY: [&str; 3] = ["torch", "torchvision", "torchaudio"];

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { wsl, driver, driver_cuda, cards, python, free_threaded, glibc, .. } = &self.machine;
        let driver = driver.as_ref().map(ToString::to_string);
        let thread = if *free_threaded { "t" } else { "" };
        writeln!(
            f,
            "machine: {}, wsl {wsl}, glibc 2.{glibc}, driver {driver:?} {driver_cuda:?}, cards {cards:?}, Python 3.{python}{thread}",
            self.machine.platform()
        )?;
        let list = |needs: &[Need]| needs.iter().map(|need| format!("`{need}`")).collect::<Vec<_>>().join(", ");
        writeln!(
            f,
            "asked: {} variant {:?}, constraints {}",
            list(&self.needs),
            self.variant,
            list(&self.constraints)
        )?;
        if self.pytorch_down {
            writeln!(f, "the PyTorch index does not answer")?;
        }
        let names = self.names();
        let told = self.wheels.iter().filter(|wheel| names.contains(wheel.name.as_str()) && wheel.fits(&self.machine));
        let facts = &self.knowledge.facts;
        for wheel in told {
            let build = wheel.version.label.as_ref().filter(|_| wheel.name == "torch");
            let build = build.and_then(|label| facts.build(&wheel.version, &self.machine.platform(), label));
            writeln!(f, "  {wheel}{}", build.map_or(String::new(), |build| format!(" [{build}]")))?;
        }
        Ok(())
    }
}
