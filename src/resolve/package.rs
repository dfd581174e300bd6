//! The units of the solver: distributions, their extras, and the facts of the machine.

use std::fmt;

use crate::vocab::{ExtraName, PackageName};

/// What the solver chooses a version for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResolverPackage {
    /// What the user asks for.
    Request,
    /// The Python interpreter, of which there is one.
    Python,
    /// The GNU C library.
    Glibc,
    /// The NVIDIA driver.
    Driver,
    /// A visible card, its version its compute capability.
    Gpu {
        /// Its place in the driver's order.
        index: u32,
        /// As messages name it.
        title: String,
    },
    /// A real distribution.
    Distribution(PackageName),
    /// A distribution with one of its extras: the same version of it, and what the extra adds.
    Extra(PackageName, ExtraName),
    /// A distribution whose version is written in just this way, as `===` asks.
    Spelled(PackageName, String),
}

impl ResolverPackage {
    /// The distribution it stands for, when it does.
    pub fn distribution(&self) -> Option<&PackageName> {
        match self {
            ResolverPackage::Distribution(name)
            | ResolverPackage::Extra(name, _)
            | ResolverPackage::Spelled(name, _) => Some(name),
            _ => None,
        }
    }

    /// Whether it is a fact of the machine.
    pub fn is_fact(&self) -> bool {
        matches!(
            self,
            ResolverPackage::Python | ResolverPackage::Glibc | ResolverPackage::Driver | ResolverPackage::Gpu { .. }
        )
    }
}

impl fmt::Display for ResolverPackage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolverPackage::Request => f.write_str("the request"),
            ResolverPackage::Python => f.write_str("Python"),
            ResolverPackage::Glibc => f.write_str("glibc"),
            ResolverPackage::Driver => f.write_str("NVIDIA driver"),
            ResolverPackage::Gpu { title, .. } => write!(f, "compute capability of {title}"),
            ResolverPackage::Distribution(name) => write!(f, "{name}"),
            ResolverPackage::Extra(name, extra) => write!(f, "{name}[{extra}]"),
            ResolverPackage::Spelled(name, version) => write!(f, "{name}==={version}"),
        }
    }
}
