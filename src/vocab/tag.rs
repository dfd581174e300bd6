//! Compatibility tags.

use std::fmt;
use std::str::FromStr;

/// One `python-abi-platform` triple, not compressed: `cp312-cp312-manylinux_2_28_x86_64`.
///
/// <https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// `cp312`, `py3`.
    pub python: String,
    /// `cp312`, `cp313t`, `abi3`, `none`.
    pub abi: String,
    /// `win_amd64`, `manylinux_2_28_x86_64`, `any`.
    pub platform: String,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.python, self.abi, self.platform)
    }
}

/// A string that is no tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a `python-abi-platform` tag")]
pub struct ParseTagError(String);

impl FromStr for Tag {
    type Err = ParseTagError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('-');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(python), Some(abi), Some(platform), None)
                if [python, abi, platform].iter().all(|part| !part.is_empty()) =>
            {
                Ok(Self { python: python.to_owned(), abi: abi.to_owned(), platform: platform.to_owned() })
            }
            _ => Err(ParseTagError(text.chars().take(120).collect())),
        }
    }
}
