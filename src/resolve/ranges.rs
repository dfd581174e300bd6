//! Version specifiers as sets of versions.
//!
//! The conversion that `pep440_rs` brings takes `==2.9.1` for that one version; by PEP 440 it also matches
//! `2.9.1+cu126`, and the whole of torch's index rests on that.

use std::ops::Bound;

use pep440_rs::{Operator, VersionSpecifier, VersionSpecifiers};
use version_ranges::Ranges;

use crate::vocab::Version;

/// The versions that satisfy all specifiers.
pub fn of_specifiers(specifiers: &VersionSpecifiers) -> Ranges<Version> {
    specifiers.iter().fold(Ranges::full(), |set, specifier| set.intersection(&of_specifier(specifier)))
}

/// Whether a version satisfies all specifiers, down to the letter where one asks so.
pub fn satisfies(version: &Version, specifiers: &VersionSpecifiers) -> bool {
    let text = version.to_string();
    of_specifiers(specifiers).contains(version) && spellings(specifiers).all(|spelling| spelling == text)
}

/// The versions that `===` asks for letter by letter.
///
/// A set cannot tell 1.17 from 1.17.0, which are one version, but `===1.17` can: it compares text.
pub fn spellings(specifiers: &VersionSpecifiers) -> impl Iterator<Item = String> {
    let literal = specifiers.iter().filter(|specifier| *specifier.operator() == Operator::ExactEqual);
    literal.map(|specifier| specifier.version().to_string())
}

/// The versions that satisfy one specifier; of `===` see [`spellings`] as well.
///
/// <https://packaging.python.org/en/latest/specifications/version-specifiers/>
pub fn of_specifier(specifier: &VersionSpecifier) -> Ranges<Version> {
    let version = specifier.version();
    match specifier.operator() {
        Operator::Equal => exactly(version),
        // Text has no labels to stand for.
        Operator::ExactEqual => Ranges::singleton(version.clone()),
        Operator::NotEqual => exactly(version).complement(),
        Operator::EqualStar => prefix(version.release(), version.epoch()),
        Operator::NotEqualStar => prefix(version.release(), version.epoch()).complement(),
        Operator::TildeEqual => {
            let kept = version.release().len().saturating_sub(1).max(1);
            let series = prefix(version.release().get(..kept).unwrap_or_default(), version.epoch());
            Ranges::higher_than(version.clone()).intersection(&series)
        }
        Operator::GreaterThanEqual => Ranges::higher_than(version.clone()),
        Operator::LessThanEqual => Ranges::strictly_lower_than(after_labels(version)),
        Operator::LessThan if version.any_prerelease() => Ranges::strictly_lower_than(version.clone()),
        // `<1.0.post1` lets 1.0 in, and of 1.0.post1 not even its development releases.
        Operator::LessThan if version.is_post() => Ranges::strictly_lower_than(version.clone().with_dev(Some(0))),
        // `<1.0` does not let 1.0's own pre-releases in.
        Operator::LessThan => Ranges::strictly_lower_than(version.clone().with_min(Some(0))),
        Operator::GreaterThan if version.dev().is_some() || version.post().is_some() => {
            Ranges::higher_than(after_labels(version))
        }
        // `>1.0` does not let 1.0's own post-releases in, nor its labels.
        Operator::GreaterThan => Ranges::strictly_higher_than(version.clone().with_max(Some(0))),
    }
}

/// The version itself and, when it carries no local label, all its labels.
pub fn exactly(version: &Version) -> Ranges<Version> {
    if version.is_local() {
        Ranges::singleton(version.clone())
    } else {
        Ranges::between(version.clone(), after_labels(version))
    }
}

/// The version that a set pins: the one it is, or the one whose labels it allows.
pub fn pinned(set: &Ranges<Version>) -> Option<Version> {
    let mut segments = set.iter();
    let (Some((Bound::Included(lower), upper)), None) = (segments.next(), segments.next()) else { return None };
    let one = match upper {
        Bound::Included(upper) => upper == lower,
        Bound::Excluded(upper) => !lower.is_local() && *upper == after_labels(lower),
        Bound::Unbounded => false,
    };
    one.then(|| lower.clone())
}

/// A name with a set of its versions: `torch==2.9.1`, `torch >=2.6, <3`, `torch`.
pub fn named(name: impl std::fmt::Display, set: &Ranges<Version>) -> String {
    let versions = display(set);
    match () {
        () if *set == Ranges::full() => name.to_string(),
        () if versions.starts_with("==") => format!("{name}{versions}"),
        () => format!("{name} {versions}"),
    }
}

/// All versions from one release up to another, labels included.
pub fn between(first: &Version, last: &Version) -> Ranges<Version> {
    Ranges::between(first.clone(), after_labels(last))
}

/// A set in words: `>=2.6, <3`.
pub fn display(set: &Ranges<Version>) -> String {
    if *set == Ranges::full() {
        return "any version".to_owned();
    }
    if set.is_empty() {
        return "no version at all".to_owned();
    }
    let segments = set.iter().map(|(lower, upper)| segment(lower, upper));
    segments.collect::<Vec<_>>().join(" or ")
}

fn segment(lower: &Bound<Version>, upper: &Bound<Version>) -> String {
    if let (Bound::Included(low), Bound::Excluded(high)) = (lower, upper)
        && !low.is_local()
        && *high == after_labels(low)
    {
        return format!("=={low}");
    }
    if let (Bound::Included(low), Bound::Included(high)) = (lower, upper)
        && low == high
    {
        return if low.is_local() { format!("=={low}") } else { format!("==={low}") };
    }
    let low = match lower {
        Bound::Included(version) => Some(format!(">={}", plain(version))),
        Bound::Excluded(version) => Some(format!(">{}", plain(version))),
        Bound::Unbounded => None,
    };
    let high = match upper {
        Bound::Included(version) => Some(format!("<={}", plain(version))),
        Bound::Excluded(version) if version.post() == Some(0) && version.dev() == Some(0) => {
            Some(format!("<={}", version.clone().with_post(None).with_dev(None)))
        }
        Bound::Excluded(version) => Some(format!("<{}", plain(version))),
        Bound::Unbounded => None,
    };
    low.into_iter().chain(high).collect::<Vec<_>>().join(", ")
}

/// A bound without the marks that only order it.
fn plain(version: &Version) -> Version {
    if version.dev() == Some(0) && version.pre().is_none() && version.post().is_none() {
        return version.clone().with_dev(None);
    }
    match (version.min(), version.max()) {
        (Some(_), _) => version.clone().with_min(None),
        (_, Some(_)) => version.clone().with_max(None),
        _ => version.clone(),
    }
}

/// The least version above `version` and all its local labels.
fn after_labels(version: &Version) -> Version {
    let version = version.clone().without_local();
    if let Some(dev) = version.dev() {
        version.with_dev(Some(dev.saturating_add(1)))
    } else if let Some(post) = version.post() {
        version.with_post(Some(post.saturating_add(1))).with_dev(Some(0))
    } else {
        version.with_post(Some(0)).with_dev(Some(0))
    }
}

/// All versions whose release begins with these numbers.
fn prefix(release: &[u64], epoch: u64) -> Ranges<Version> {
    let lower = Version::new(release.iter().copied()).with_epoch(epoch).with_dev(Some(0));
    let mut next = release.to_vec();
    match next.last_mut() {
        Some(last) => *last = last.saturating_add(1),
        None => return Ranges::full(),
    }
    Ranges::between(lower, Version::new(next).with_epoch(epoch).with_dev(Some(0)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(specifiers: &str) -> Ranges<Version> {
        of_specifiers(&specifiers.parse().unwrap())
    }

    fn holds(specifiers: &str, version: &str) -> bool {
        set(specifiers).contains(&version.parse().unwrap())
    }

    #[test]
    fn a_version_stands_for_its_labels() {
        assert!(holds("==2.9.1", "2.9.1+cu126"));
        assert!(holds("<=2.9.1", "2.9.1+cu126"));
        assert!(holds(">=2.9.1", "2.9.1+cu126"));
        assert!(!holds("!=2.9.1", "2.9.1+cu126"));
        assert!(!holds(">2.9.1", "2.9.1+cu126"));
        assert!(!holds("<2.9.1", "2.9.1+cu126"));
        assert!(!holds("==2.9.1", "2.9.1.post1"));
        assert!(holds("==2.9.1+cu126", "2.9.1+cu126"));
        assert!(!holds("==2.9.1+cu126", "2.9.1"));
        assert!(!holds("==2.9.1+cu126", "2.9.1+cu128"));
    }

    #[test]
    fn three_equal_signs_compare_text() {
        let satisfied =
            |specifiers: &str, version: &str| satisfies(&version.parse().unwrap(), &specifiers.parse().unwrap());
        assert!(satisfied("===2.9.1", "2.9.1") && !satisfied("===2.9.1", "2.9.1+cu126"));
        assert!(satisfied("===2.9.1+cu126", "2.9.1+cu126") && !satisfied("===2.9.1+cu126", "2.9.1"));
        assert!(satisfied("===1.17", "1.17") && !satisfied("===1.17", "1.17.0"));
        assert!(satisfied("==1.17", "1.17.0") && !satisfied("===1.17, <1", "1.17"));
    }

    #[test]
    fn series_and_neighbours() {
        assert!(holds("~=3.8.0", "3.8.4") && !holds("~=3.8.0", "3.9.0") && !holds("~=3.8.0", "3.9.0.dev1"));
        assert!(holds("==2.9.*", "2.9.1+cu126") && holds("==2.9.*", "2.9.0.dev1") && !holds("==2.9.*", "2.10.0"));
        assert!(!holds("<3.0", "3.0.dev1") && !holds("<3.0", "3.0a1") && holds("<3.0", "2.99.post1"));
        assert!(!holds(">1.7", "1.7.post2") && holds(">1.7", "1.7.1") && holds(">1.7.post1", "1.7.post2"));
        assert!(holds("<1.0b2", "1.0b1"));
    }

    #[test]
    fn pins_are_recognised_and_sets_read_well() {
        assert_eq!(pinned(&set("==2.9.1")).map(|version| version.to_string()).as_deref(), Some("2.9.1"));
        assert_eq!(pinned(&set("==2.9.1+cu126")).map(|version| version.to_string()).as_deref(), Some("2.9.1+cu126"));
        assert_eq!(pinned(&set(">=2.9.1")), None);
        for text in ["==2.9.1", ">=2.6, <3", "<=2.9.1", ">2", "==2.9.1+cu126", "===2.9.1", "<3"] {
            assert_eq!(display(&set(text)), text);
        }
        assert_eq!(display(&set("!=2.9.1")), "<2.9.1 or >=2.9.1.post0.dev0");
    }

    #[test]
    fn a_release_is_below_its_own_post_release() {
        let below = set("<0.2.0.post0");
        assert!(below.contains(&"0.2.0".parse().unwrap()));
        assert!(!below.contains(&"0.2.0.post0.dev0".parse().unwrap()));
    }

    fn version() -> impl Strategy<Value = String> {
        let pre = prop_oneof![Just(String::new()), "(a|b|rc)[0-2]"];
        let post = prop_oneof![Just(String::new()), "\\.post[0-2]"];
        let dev = prop_oneof![Just(String::new()), "\\.dev[0-2]"];
        let label = prop_oneof![Just(String::new()), Just("+cu126".to_owned())];
        ("[0-2]\\.[0-2]\\.[0-2]", pre, post, dev, label)
            .prop_map(|(release, pre, post, dev, label)| format!("{release}{pre}{post}{dev}{label}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]
        /// `pep440_rs` judges one version at a time, with code of its own.
        #[test]
        fn sets_agree_with_contains(candidate in version(), bound in version(), operator in "==|!=|<=|>=|<|>|~=") {
            let bound = if matches!(operator.as_str(), "==" | "!=") {
                bound
            } else {
                bound.split('+').next().unwrap_or_default().to_owned()
            };
            let specifier: VersionSpecifier = format!("{operator}{bound}").parse().unwrap();
            let candidate: Version = candidate.parse().unwrap();
            // There `<1.0b2` shuts out 1.0b1, which PEP 440 lets in; and `>1.0.dev1` judges post-releases by their base.
            let differs = matches!(operator.as_str(), "<" | ">") && specifier.version().any_prerelease();
            prop_assume!(!differs);
            // And `<1.0.post1` shuts out 1.0.post1.dev0 alone of pre-releases of the same release.
            prop_assume!(!(operator == "<" && specifier.version().is_post() && candidate.any_prerelease()));
            prop_assert_eq!(of_specifier(&specifier).contains(&candidate), specifier.contains(&candidate));
        }
    }
}
