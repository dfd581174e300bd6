//! What is asked for, every default settled.

mod file;
mod requirements;
mod settle;
mod sources;
mod text;

pub use requirements::{Place, RequirementsError, parse_requirement};
pub use settle::{Defaults, RequestError, Settled};

use std::collections::{BTreeSet, HashMap};

use pep508_rs::{MarkerEnvironment, MarkerTree};

use crate::vocab::{Channel, Moment, PackageName, Requirement, Sha256, Url, Variant};

/// Looks a variable up; every setting passes through it, so that tests need no process environment.
type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What the user wants installed, and where it may come from; no later stage sees the command line.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is asked for by name, in the order it was typed.
    pub requirements: Vec<Requirement>,
    /// What must hold of anything installed, asked for or not (`-c`).
    pub constraints: Vec<Requirement>,
    /// Which variant of torch's family is wanted.
    pub variant: VariantChoice,
    /// Whether newer versions are looked for where the installed ones would do.
    pub upgrade: bool,
    /// Whether pre-releases may be chosen.
    pub pre_releases: bool,
    /// Which files may be chosen, whatever their version.
    pub files: FileRules,
    /// Where wheels come from.
    pub indexes: Indexes,
}

impl Request {
    /// The hashes that are listed, by distribution, where these markers hold; of several lists what all of them have.
    pub fn listed_hashes(&self, markers: &MarkerEnvironment) -> HashMap<PackageName, BTreeSet<Sha256>> {
        let mut hashes: HashMap<PackageName, BTreeSet<Sha256>> = HashMap::new();
        for list in self.files.hashes.iter().filter(|list| list.marker.evaluate(markers, &[])) {
            let listed: BTreeSet<Sha256> = list.sha256.iter().copied().collect();
            match hashes.get_mut(&list.name) {
                Some(known) => known.retain(|hash| listed.contains(hash)),
                None => {
                    hashes.insert(list.name.clone(), listed);
                }
            }
        }
        hashes
    }
}

/// Which variant of torch's family is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariantChoice {
    /// Whatever serves the machine best.
    Auto,
    /// This one.
    Named(Variant),
}

/// Which files may be chosen, whatever their version.
#[derive(Debug, Clone, Default)]
pub struct FileRules {
    /// Files that were uploaded at this moment or later do not exist.
    pub exclude_newer: Option<Moment>,
    /// Whether everything that is fetched must have a hash that is listed here.
    pub only_listed: bool,
    /// The hashes that requirements list.
    pub hashes: Vec<HashList>,
}

/// The hashes that one requirement lists; the wheel must have one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashList {
    /// The distribution.
    pub name: PackageName,
    /// Where the requirement applies.
    pub marker: MarkerTree,
    /// Its hashes.
    pub sha256: Vec<Sha256>,
}

/// Where wheels come from.
#[derive(Debug, Clone)]
pub struct Indexes {
    /// The home of all that is not torch's family; PyPI unless set.
    pub default: Url,
    /// Indexes that add names, never versions of a name that has a home.
    pub extra: Vec<Url>,
    /// Folders and pages of links (`--find-links`).
    pub find_links: Vec<Url>,
    /// The root of the PyTorch index or of a mirror of it: pages at `<root>/<variant>/<project>/`.
    pub torch: Url,
    /// Whether `torch` is a mirror that was named, beside which PyTorch's own second host is never tried.
    pub torch_is_mirror: bool,
    /// Which of the PyTorch index's channels torch's family comes from.
    pub channel: Channel,
    /// Whether no index is asked, and wheels come from `find_links` alone.
    pub no_index: bool,
}
