//! Which releases of torch run on a machine, variant by variant.

use version_ranges::Ranges;

use super::fit::Judge;
use super::verdict::Judgement;
use super::why::{WhyError, check_gpus};
use super::wording;
use crate::catalog::Manifests;
use crate::machine::Machine;
use crate::request::VariantChoice;
use crate::vocab::{Variant, Version};

/// Releases × variants on one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// The cards and the driver.
    pub hardware: String,
    /// System and Python.
    pub system: String,
    /// The columns, oldest CUDA first.
    pub variants: Vec<Variant>,
    /// The rows, newest release first.
    pub rows: Vec<Row>,
    /// The build that `install` takes.
    pub chosen: Option<Judgement>,
    /// How many older releases are left out.
    pub left_out: usize,
}

/// One release.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its version.
    pub version: Version,
    /// Its builds, a cell a column; `None` where there is no such build.
    pub cells: Vec<Option<Judgement>>,
}

/// How many releases are shown where not all are asked for.
const NEWEST: usize = 12;

/// The newest releases and whatever is needed to show the chosen one; with `all` every release that is known.
pub fn matrix(machine: &Machine, manifests: &Manifests, all: bool) -> Result<Matrix, WhyError> {
    check_gpus(machine)?;
    let judge = Judge::new(machine, manifests);
    let everything = Ranges::full();
    let chosen = judge.preferred(&VariantChoice::Auto, &everything);
    // Builds for other makers' cards are taken only by name, and not judged.
    let of_nvidia = |build: &Judgement| !matches!(build.variant, Variant::Other(_));
    let builds: Vec<Judgement> = judge.judgements(&everything).into_iter().filter(of_nvidia).collect();
    let mut releases: Vec<&Version> = builds.iter().map(|build| &build.version).collect();
    releases.dedup();
    let known = releases.len();
    let mut place = 0;
    releases.retain(|version| {
        place += 1;
        all || place <= NEWEST || chosen.as_ref().is_some_and(|chosen| chosen.version == **version)
    });
    let shown = |build: &&Judgement| releases.contains(&&build.version);
    let mut variants: Vec<Variant> = builds.iter().filter(shown).map(|build| build.variant.clone()).collect();
    variants.sort();
    variants.dedup();
    let row = |version: &&Version| {
        let cell = |variant: &Variant| {
            builds.iter().find(|build| build.version == **version && build.variant == *variant).cloned()
        };
        Row { version: (*version).clone(), cells: variants.iter().map(cell).collect() }
    };
    let rows: Vec<Row> = releases.iter().map(row).collect();
    let left_out = known - rows.len();
    let (hardware, system) = (wording::hardware(&judge), wording::system(&judge));
    Ok(Matrix { hardware, system, variants, rows, chosen, left_out })
}

impl Matrix {
    /// Every build in it.
    pub fn builds(&self) -> impl Iterator<Item = &Judgement> {
        self.rows.iter().flat_map(|row| row.cells.iter().flatten())
    }

    /// What stands most stubbornly against builds, each reason with the places, in [`Matrix::builds`], that it holds of.
    pub fn reasons(&self) -> Vec<(String, Vec<usize>)> {
        let builds: Vec<&Judgement> = self.builds().collect();
        wording::reasons(&builds)
    }
}
