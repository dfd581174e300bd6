//! What a wheel of torch's family was built for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::CudaVersion;

/// What a wheel was built for, as its local version label and its directory on the PyTorch index say it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Variant {
    /// No accelerator.
    Cpu,
    /// A CUDA runtime line: `cu128` is 12.8.
    Cuda(CudaVersion),
    /// Another backend: `rocm6.4`, `xpu`.
    Other(String),
}

impl Variant {
    /// The CUDA line of the build, when it has one.
    pub fn cuda(&self) -> Option<CudaVersion> {
        match self {
            Variant::Cuda(cuda) => Some(*cuda),
            _ => None,
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Variant::Cpu => f.write_str("cpu"),
            Variant::Cuda(cuda) => write!(f, "cu{}{}", cuda.major, cuda.minor),
            Variant::Other(label) => f.write_str(label),
        }
    }
}

/// A string that names no variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no variant; variants are written `cpu`, `cu128`, `rocm6.4`, `xpu`")]
pub struct ParseVariantError(String);

impl FromStr for Variant {
    type Err = ParseVariantError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseVariantError(text.chars().take(80).collect());
        if text == "cpu" {
            return Ok(Variant::Cpu);
        }
        if let Some(digits) = text.strip_prefix("cu") {
            // `cu92` is 9.2, `cu118` is 11.8: the minor is always the last digit.
            if !(2..=3).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(error());
            }
            let (major, minor) = digits.split_at(digits.len() - 1);
            let number = |digits: &str| digits.parse().map_err(|_| error());
            return Ok(Variant::Cuda(CudaVersion { major: number(major)?, minor: number(minor)? }));
        }
        let rocm = text.strip_prefix("rocm").is_some_and(|version| {
            !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        });
        if rocm || text == "xpu" { Ok(Variant::Other(text.to_owned())) } else { Err(error()) }
    }
}

impl TryFrom<String> for Variant {
    type Error = ParseVariantError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Variant> for String {
    fn from(variant: Variant) -> Self {
        variant.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_round_trip() {
        for label in ["cpu", "cu92", "cu118", "cu128", "rocm6.2.4", "xpu"] {
            assert_eq!(label.parse::<Variant>().unwrap().to_string(), label);
        }
        assert_eq!("cu118".parse::<Variant>().unwrap().cuda(), Some(CudaVersion { major: 11, minor: 8 }));
    }

    #[test]
    fn other_labels_are_refused() {
        for bad in ["", "cu", "cu1", "cu12.8", "cu1280", "rocm", "CPU", "../cpu", "auto"] {
            assert!(bad.parse::<Variant>().is_err(), "{bad}");
        }
    }
}
