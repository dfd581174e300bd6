//! Versions, and what a requirement says of them: the few forms that the cases need.

use std::cmp::Ordering;
use std::fmt;

/// A release with the label of a variant, `2.9.1+cu126`; 1.0 and 1.0.0 are one version.
#[derive(Debug, Clone)]
pub struct Version {
    pub numbers: Vec<u64>,
    pub label: Option<String>,
}

impl Version {
    /// Reads `2.9.1+cu126`.
    pub fn read(text: &str) -> Self {
        let (release, label) = text.split_once('+').map_or((text, None), |(release, label)| (release, Some(label)));
        let numbers = release.split('.').map(|number| number.parse().unwrap()).collect();
        Self { numbers, label: label.map(str::to_owned) }
    }

    /// Without a label.
    pub fn public(&self) -> Self {
        Self { numbers: self.numbers.clone(), label: None }
    }

    /// With a label.
    pub fn labelled(&self, label: &str) -> Self {
        Self { numbers: self.numbers.clone(), label: Some(label.to_owned()) }
    }

    fn number(&self, place: usize) -> u64 {
        self.numbers.get(place).copied().unwrap_or(0)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let places = 0..self.numbers.len().max(other.numbers.len());
        let numbers = places.map(|place| self.number(place).cmp(&other.number(place))).find(|order| order.is_ne());
        numbers.unwrap_or(Ordering::Equal).then_with(|| self.label.cmp(&other.label))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.numbers.iter().map(ToString::to_string).collect();
        f.write_str(&numbers.join("."))?;
        self.label.as_ref().map_or(Ok(()), |label| write!(f, "+{label}"))
    }
}

/// What a requirement says of a version.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    Any,
    AtLeast(Version),
    AtMost(Version),
    Above(Version),
    Below(Version),
    Is(Version),
    IsNot(Version),
    /// `==2.9.*`
    Series(Vec<u64>),
    /// `~=2.9.0`
    Compatible(Version),
    /// `>=2.6,<2.9`
    Between(Version, Version),
}

impl Spec {
    /// The version that it pins.
    pub fn pin(&self) -> Option<&Version> {
        if let Spec::Is(version) = self { Some(version) } else { None }
    }

    /// Whether a version satisfies it. A label counts only where the requirement has one.
    pub fn holds(&self, version: &Version) -> bool {
        let public = version.public();
        match self {
            Spec::Any => true,
            Spec::AtLeast(bound) => public >= *bound,
            Spec::AtMost(bound) => public <= *bound,
            Spec::Above(bound) => public > *bound,
            Spec::Below(bound) => public < *bound,
            Spec::Is(bound) if bound.label.is_some() => version == bound,
            Spec::Is(bound) => public == *bound,
            Spec::IsNot(bound) => public != *bound,
            Spec::Series(numbers) => starts_with(version, numbers),
            Spec::Compatible(bound) => {
                public >= *bound && starts_with(version, &bound.numbers[..bound.numbers.len() - 1])
            }
            Spec::Between(low, high) => public >= *low && public < *high,
        }
    }
}

fn starts_with(version: &Version, numbers: &[u64]) -> bool {
    numbers.iter().enumerate().all(|(place, number)| version.number(place) == *number)
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spec::Any => Ok(()),
            Spec::AtLeast(bound) => write!(f, ">={bound}"),
            Spec::AtMost(bound) => write!(f, "<={bound}"),
            Spec::Above(bound) => write!(f, ">{bound}"),
            Spec::Below(bound) => write!(f, "<{bound}"),
            Spec::Is(bound) => write!(f, "=={bound}"),
            Spec::IsNot(bound) => write!(f, "!={bound}"),
            Spec::Series(numbers) => write!(f, "=={}.*", Version { numbers: numbers.clone(), label: None }),
            Spec::Compatible(bound) => write!(f, "~={bound}"),
            Spec::Between(low, high) => write!(f, ">={low},<{high}"),
        }
    }
}
