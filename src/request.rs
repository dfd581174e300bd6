//! What is asked for, every default settled.

mod requirements;
mod settle;

pub use requirements::{RequirementsError, parse_requirement};
pub use settle::{Defaults, RequestError, Settled};

use crate::vocab::{Requirement, Url, Variant};

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
    /// Where wheels come from.
    pub indexes: Indexes,
}

/// Which variant of torch's family is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariantChoice {
    /// Whatever serves the machine best.
    Auto,
    /// This one.
    Named(Variant),
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
}
