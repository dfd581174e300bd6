//! How much one solution may take.
//!
//! What is counted is work, never time: what is too hard on one machine is too hard on every other.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use version_ranges::Ranges;

use crate::vocab::{PackageName, Version};

/// The most distributions that are looked at; the largest environments have some 500.
pub const MOST_DISTRIBUTIONS: usize = 2_000;
/// The most versions whose metadata is read; a solution reads one a distribution, and a long conflict one a version.
pub const MOST_METADATA: usize = 4_000;
/// The most work, in things looked at. A solution of 500 distributions takes some 100,000; a conflict that runs through
/// 1,500 versions one by one takes 1.4 million.
pub const MOST_WORK: usize = 2_000_000;
/// The most pages and metadata files that one step asks for ahead of need.
pub const MOST_AHEAD: usize = 64;

/// Counts the work of a solution.
#[derive(Debug, Default)]
pub struct Effort {
    work: Cell<usize>,
    choices: Cell<usize>,
    distributions: RefCell<HashSet<PackageName>>,
    metadata: RefCell<HashSet<(PackageName, Version)>>,
    /// How often a version of each distribution was chosen.
    chosen: RefCell<BTreeMap<PackageName, usize>>,
}

/// Which limit was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooHard {
    limit: Limit,
    /// The distribution that the solver came back to most, and how often.
    most: Option<(PackageName, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Distributions,
    Metadata,
    Work,
}

impl Effort {
    /// Counts a choice among the versions of a set, `known` versions being there.
    ///
    /// A set in many pieces is what long conflicts leave behind, and every step copies it; and what was learned from
    /// earlier choices is looked through at each new one.
    pub fn choose(&self, name: &PackageName, set: &Ranges<Version>, known: usize) {
        let choices = self.choices.replace(self.choices.get() + 1);
        self.look(1 + set.iter().count() + known / 1024 + choices / 4);
        *self.chosen.borrow_mut().entry(name.clone()).or_default() += 1;
    }

    /// Counts things that were looked at, each for a moment.
    pub fn look(&self, things: usize) {
        self.work.set(self.work.get().saturating_add(things));
    }

    /// Counts a distribution whose page is asked for; false when there have been too many.
    pub fn distribution(&self, name: &PackageName) -> bool {
        let mut distributions = self.distributions.borrow_mut();
        distributions.contains(name)
            || (distributions.len() <= MOST_DISTRIBUTIONS && distributions.insert(name.clone()))
    }

    /// Counts a version whose metadata is asked for; false when there have been too many.
    pub fn metadata(&self, name: &PackageName, version: &Version) -> bool {
        let mut metadata = self.metadata.borrow_mut();
        let key = (name.clone(), version.clone());
        metadata.contains(&key) || (metadata.len() <= MOST_METADATA && metadata.insert(key))
    }

    /// Whether there has been too much.
    pub fn judge(&self) -> Result<(), TooHard> {
        let limit = if self.distributions.borrow().len() > MOST_DISTRIBUTIONS {
            Limit::Distributions
        } else if self.metadata.borrow().len() > MOST_METADATA {
            Limit::Metadata
        } else if self.work.get() > MOST_WORK {
            Limit::Work
        } else {
            return Ok(());
        };
        let chosen = self.chosen.borrow();
        let most = chosen.iter().max_by_key(|(_, count)| **count).map(|(name, count)| (name.clone(), *count));
        Err(TooHard { limit, most: most.filter(|(_, count)| *count > 1 && limit != Limit::Distributions) })
    }
}

impl TooHard {
    /// What the user can do.
    pub fn hints(&self) -> Vec<String> {
        let name = self.most.as_ref().map_or_else(|| "NAME".to_owned(), |(name, _)| name.to_string());
        vec![format!("pin some of the versions: ask for `{name}==VERSION` as well")]
    }
}

impl fmt::Display for TooHard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Limit::Distributions => write!(f, "it leads to more than {MOST_DISTRIBUTIONS} distributions")?,
            Limit::Metadata => write!(f, "the metadata of {MOST_METADATA} versions was read, and no end is in sight")?,
            Limit::Work => f.write_str("too many combinations of versions were tried, and no end is in sight")?,
        }
        match &self.most {
            Some((name, count)) => write!(f, "; `{name}` was chosen anew {count} times"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_says_what_it_is_of() {
        let (name, other): (PackageName, PackageName) = ("demo".parse().unwrap(), "other".parse().unwrap());
        let effort = Effort::default();
        effort.choose(&name, &Ranges::full(), 0);
        effort.choose(&name, &Ranges::full(), 0);
        effort.choose(&other, &Ranges::full(), 0);
        effort.look(MOST_WORK - 6);
        assert_eq!(effort.judge(), Ok(()));
        effort.look(1);
        let error = effort.judge().unwrap_err();
        assert!(error.to_string().contains("`demo` was chosen anew 2 times"), "{error}");
        assert!(error.hints()[0].contains("demo==VERSION"));

        let effort = Effort::default();
        let version = |number: usize| Version::new([number as u64]);
        let asked = (0..=MOST_METADATA).filter(|number| effort.metadata(&name, &version(*number))).count();
        assert_eq!(asked, MOST_METADATA + 1);
        assert!(!effort.metadata(&name, &version(asked)) && effort.metadata(&name, &version(0)));
        assert!(effort.judge().unwrap_err().to_string().contains("4000 versions"));

        let effort = Effort::default();
        (0..=MOST_DISTRIBUTIONS)
            .for_each(|number| assert!(effort.distribution(&format!("d{number}").parse().unwrap())));
        assert!(!effort.distribution(&name));
        assert!(effort.judge().unwrap_err().to_string().contains("2000 distributions"));
    }
}
