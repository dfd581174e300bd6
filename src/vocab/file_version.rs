//! The version of a Windows file.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The version in a Windows file's resources, `14.38.33135.0`; of text with fewer numbers the rest is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileVersion([u16; 4]);

/// A string that is no file version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no file version such as `14.38.33135.0`")]
pub struct ParseFileVersionError(String);

impl FileVersion {
    /// The version of these four numbers.
    pub const fn new(numbers: [u16; 4]) -> Self {
        Self(numbers)
    }

    /// Its four numbers.
    pub const fn numbers(self) -> [u16; 4] {
        self.0
    }
}

impl fmt::Display for FileVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, build, revision] = self.0;
        write!(f, "{major}.{minor}.{build}.{revision}")
    }
}

impl FromStr for FileVersion {
    type Err = ParseFileVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseFileVersionError(text.chars().take(80).collect());
        let mut numbers = [0; 4];
        for (index, part) in text.trim().split('.').enumerate() {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let place = numbers.get_mut(index).filter(|_| digits).ok_or_else(error)?;
            *place = part.parse().map_err(|_| error())?;
        }
        Ok(Self(numbers))
    }
}

impl TryFrom<String> for FileVersion {
    type Error = ParseFileVersionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FileVersion> for String {
    fn from(version: FileVersion) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_versions_are_four_numbers_in_order() {
        let version = |text: &str| text.parse::<FileVersion>().unwrap();
        assert_eq!(version("14.38.33135.0").to_string(), "14.38.33135.0");
        assert_eq!(version(" 14.40 "), FileVersion::new([14, 40, 0, 0]));
        assert!(version("14.40") > version("14.38.33135.0") && version("14.4") < version("14.40"));
        for bad in ["", "14.", "14.x", "+14", "1.2.3.4.5", "14.65536"] {
            assert!(bad.parse::<FileVersion>().is_err(), "{bad}");
        }
    }
}
