//! Versions that NVIDIA hardware and software are told apart by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A string that is no compute capability, code target, driver or CUDA version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ParseGpuFactError {
    text: String,
    expected: &'static str,
}

impl ParseGpuFactError {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), expected }
    }
}

fn major_minor(text: &str) -> Option<(u16, u16)> {
    let (major, minor) = text.split_once('.')?;
    Some((number(major)?, number(minor)?))
}

/// Digits only: `u16::from_str` alone would take a leading `+`.
fn number(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A GPU's compute capability, `8.6`; as a code target it is written `sm_86`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ComputeCapability {
    /// The generation: 8 is Ampere and Ada.
    pub major: u16,
    /// The member of the generation.
    pub minor: u16,
}

impl fmt::Display for ComputeCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for ComputeCapability {
    type Err = ParseGpuFactError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match major_minor(text.trim()) {
            // Everything NVIDIA ever shipped lies between 1.0 and two digits; more is a mistake in the input.
            Some((major, minor)) if (1..=99).contains(&major) && minor <= 9 => Ok(Self { major, minor }),
            _ => Err(ParseGpuFactError::new(text, "a compute capability such as `8.6`")),
        }
    }
}

/// What a kernel was compiled for: `sm_86`, or `sm_90a`, which fits only exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CodeTarget {
    /// The compute capability compiled for.
    pub capability: ComputeCapability,
    /// `a` for architecture-specific and `f` for family-specific code.
    pub suffix: Option<char>,
}

impl fmt::Display for CodeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.capability)?;
        self.suffix.map_or(Ok(()), |suffix| write!(f, "{suffix}"))
    }
}

impl FromStr for CodeTarget {
    type Err = ParseGpuFactError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (capability, suffix) = match text.strip_suffix(['a', 'f']) {
            Some(rest) => (rest, text.chars().last()),
            None => (text, None),
        };
        let capability =
            capability.parse().map_err(|_| ParseGpuFactError::new(text, "a code target such as `9.0` or `9.0a`"))?;
        Ok(Self { capability, suffix })
    }
}

/// A version of NVIDIA's kernel driver, `570.124.06`; compared number by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DriverVersion(Vec<DriverNumber>);

/// One number of a driver version; the leading zeros are kept for display only.
#[derive(Debug, Clone)]
struct DriverNumber {
    value: u16,
    width: usize,
}

impl PartialEq for DriverNumber {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}
impl Eq for DriverNumber {}
impl PartialOrd for DriverNumber {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for DriverNumber {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}
impl std::hash::Hash for DriverNumber {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl DriverVersion {
    /// The release branch: 570 of `570.124.06`.
    pub fn branch(&self) -> u16 {
        self.0.first().map_or(0, |number| number.value)
    }

    /// The numbers, most significant first: `[570, 124, 6]`.
    pub fn numbers(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().map(|number| number.value)
    }
}

impl fmt::Display for DriverVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, number) in self.0.iter().enumerate() {
            let dot = if position > 0 { "." } else { "" };
            write!(f, "{dot}{:0width$}", number.value, width = number.width)?;
        }
        Ok(())
    }
}

impl FromStr for DriverVersion {
    type Err = ParseGpuFactError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseGpuFactError::new(text, "an NVIDIA driver version such as `570.124.06`");
        let numbers = text
            .trim()
            .split('.')
            .map(|part| number(part).filter(|_| part.len() <= 5).map(|value| DriverNumber { value, width: part.len() }))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(error)?;
        // NVIDIA's first numbered branches had one digit; more than four components were never published.
        if numbers.len() > 4 || numbers.first().is_none_or(|first| first.value == 0) {
            return Err(error());
        }
        Ok(Self(numbers))
    }
}

/// A CUDA version as drivers and wheels speak of it, `12.8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CudaVersion {
    /// The binary-compatibility family.
    pub major: u16,
    /// The toolkit release within the family.
    pub minor: u16,
}

impl CudaVersion {
    /// From the integer `cuDriverGetVersion` and NVML answer with: 12080 is 12.8.
    ///
    /// `None` when it is no plausible CUDA version.
    pub fn from_driver_number(number: i32) -> Option<Self> {
        let number = u16::try_from(number).ok().filter(|number| (1000..60_000).contains(number))?;
        Some(Self { major: number / 1000, minor: number % 1000 / 10 })
    }
}

impl fmt::Display for CudaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for CudaVersion {
    type Err = ParseGpuFactError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match major_minor(text.trim()) {
            Some((major, minor)) if (1..=99).contains(&major) && minor <= 99 => Ok(Self { major, minor }),
            _ => Err(ParseGpuFactError::new(text, "a CUDA version such as `12.8`")),
        }
    }
}

macro_rules! string_conversions {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = ParseGpuFactError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    )*};
}
string_conversions!(ComputeCapability, CodeTarget, DriverVersion, CudaVersion);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_round_trip_and_order_by_generation() {
        let parse = |text: &str| text.parse::<ComputeCapability>().unwrap();
        assert_eq!(parse("12.0").to_string(), "12.0");
        assert!(parse("9.0") < parse("12.0"));
        for bad in ["", "8", "8.6.1", "sm_86", "+8.6", "-1.0", "0.0", "8.99", "8.6 x"] {
            assert!(bad.parse::<ComputeCapability>().is_err(), "{bad}");
        }
    }

    #[test]
    fn code_targets_keep_their_suffix() {
        let target: CodeTarget = "9.0a".parse().unwrap();
        assert_eq!((target.suffix, target.to_string()), (Some('a'), "9.0a".to_owned()));
        assert_eq!("8.6".parse::<CodeTarget>().unwrap().suffix, None);
    }

    #[test]
    fn drivers_compare_by_number_and_print_as_they_came() {
        let parse = |text: &str| text.parse::<DriverVersion>().unwrap();
        assert!(parse("570.124.06") > parse("570.86.15"));
        assert!(parse("580.65.06") > parse("580"));
        assert_eq!(parse("570.124.06"), parse("570.124.6"));
        assert_eq!(parse("570.124.06").to_string(), "570.124.06");
        assert_eq!(parse("572.83").branch(), 572);
        for bad in ["", "none", "570.", "570.x", "0.1", "1.2.3.4.5", "999999"] {
            assert!(bad.parse::<DriverVersion>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_driver_number_is_decoded() {
        assert_eq!(CudaVersion::from_driver_number(12080), Some(CudaVersion { major: 12, minor: 8 }));
        assert_eq!(CudaVersion::from_driver_number(0), None);
        assert_eq!(CudaVersion::from_driver_number(-5), None);
    }
}
