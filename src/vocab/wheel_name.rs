//! Wheel file names.

use std::fmt;
use std::str::FromStr;

use pep440_rs::Version;
use pep508_rs::PackageName;
use serde::{Deserialize, Serialize};

use super::Tag;

/// The file name of a wheel, parsed: `torch-2.9.1+cu128-cp312-cp312-win_amd64.whl`.
///
/// Prints exactly as it was read. <https://packaging.python.org/en/latest/specifications/binary-distribution-format/>
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WheelName {
    file_name: String,
    /// The normalised distribution name.
    pub name: PackageName,
    /// The version, local label included.
    pub version: Version,
    /// The build tag, which decides between files of one version.
    pub build: Option<BuildTag>,
    python: Vec<String>,
    abi: Vec<String>,
    platform: Vec<String>,
    /// The label of a PEP 825 variant wheel, a sixth part of the name.
    pub variant_label: Option<String>,
}

/// A build tag: compared by its leading number, then by the rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuildTag {
    number: u64,
    rest: String,
}

impl WheelName {
    /// Every tag the name stands for, its compressed sets taken apart.
    pub fn tags(&self) -> impl Iterator<Item = Tag> + '_ {
        self.python.iter().flat_map(move |python| {
            self.abi.iter().flat_map(move |abi| {
                self.platform.iter().map(move |platform| Tag {
                    python: python.clone(),
                    abi: abi.clone(),
                    platform: platform.clone(),
                })
            })
        })
    }

    /// The Python tags: `cp312`, `py3`.
    pub fn python_tags(&self) -> &[String] {
        &self.python
    }

    /// The ABI tags: `cp312`, `none`.
    pub fn abi_tags(&self) -> &[String] {
        &self.abi
    }

    /// The platform tags: `win_amd64`, `any`.
    pub fn platform_tags(&self) -> &[String] {
        &self.platform
    }

    /// The file name as it was read.
    pub fn as_str(&self) -> &str {
        &self.file_name
    }
}

impl fmt::Display for WheelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file_name)
    }
}

/// A string that is no wheel file name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{file_name}` is not a wheel file name: {reason}")]
pub struct ParseWheelNameError {
    file_name: String,
    reason: &'static str,
}

/// Longer names fit no file system, and compressed tag sets multiply.
const MAX_LENGTH: usize = 255;
const MAX_TAGS: usize = 1024;

impl FromStr for WheelName {
    type Err = ParseWheelNameError;

    fn from_str(file_name: &str) -> Result<Self, Self::Err> {
        let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        let error =
            |reason| ParseWheelNameError { file_name: file_name.chars().take(120).map(shown).collect(), reason };
        if file_name.len() > MAX_LENGTH {
            return Err(error("it is longer than 255 bytes"));
        }
        let stem = file_name.strip_suffix(".whl").ok_or_else(|| error("it does not end in `.whl`"))?;
        // Versions may stand among spaces and line ends, and a name is shown, joined to paths and written to files.
        if !file_name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(error("it has a character that no such name has"));
        }
        if stem.contains(['/', '\\', ':']) {
            return Err(error("it is not a single path component"));
        }
        let parts: Vec<&str> = stem.split('-').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(error("it has an empty part"));
        }
        // name-version[-build]-python-abi-platform[-variant]: a build tag starts with a digit, a Python tag never does.
        let build = parts.get(2).and_then(|part| BuildTag::parse(part)).filter(|_| parts.len() >= 6);
        let tags = if build.is_some() { 3 } else { 2 };
        let variant_label = match parts.len().checked_sub(tags) {
            Some(3) => None,
            Some(4) => parts.last().map(|label| (*label).to_owned()),
            _ => return Err(error("it does not have five parts, or six with a build tag")),
        };
        let split = |part: &str| part.split('.').map(str::to_owned).collect::<Vec<_>>();
        let (python, abi, platform) = (split(parts[tags]), split(parts[tags + 1]), split(parts[tags + 2]));
        if python.len() * abi.len() * platform.len() > MAX_TAGS {
            return Err(error("it stands for more than 1024 tags"));
        }
        Ok(Self {
            name: PackageName::from_str(parts[0]).map_err(|_| error("its distribution name is not valid"))?,
            version: Version::from_str(parts[1]).map_err(|_| error("its version is not valid"))?,
            build,
            python,
            abi,
            platform,
            variant_label,
            file_name: file_name.to_owned(),
        })
    }
}

impl BuildTag {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number = text[..digits].parse().ok()?;
        Some(Self { number, rest: text[digits..].to_owned() })
    }
}

impl TryFrom<String> for WheelName {
    type Error = ParseWheelNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<WheelName> for String {
    fn from(name: WheelName) -> Self {
        name.file_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> WheelName {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_of_the_pytorch_index() {
        let wheel = parse("torch-2.9.1+cu128-cp313-cp313t-manylinux_2_28_x86_64.whl");
        assert_eq!((wheel.name.as_ref(), wheel.version.to_string()), ("torch", "2.9.1+cu128".to_owned()));
        assert_eq!(wheel.tags().map(|tag| tag.to_string()).collect::<Vec<_>>(), ["cp313-cp313t-manylinux_2_28_x86_64"]);
    }

    #[test]
    fn compressed_sets_build_tags_and_variant_labels() {
        let wheel = parse("numpy-1.0-py2.py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl");
        assert_eq!(wheel.tags().count(), 4);
        let rebuilt = parse("torch-2.10.0-3-cp312-cp312-manylinux_2_28_x86_64.whl");
        assert!(rebuilt.build > parse("torch-2.10.0-cp312-cp312-manylinux_2_28_x86_64.whl").build);
        assert_eq!(parse("x-1.0-py3-none-any-cu12.whl").variant_label.as_deref(), Some("cu12"));
    }

    #[test]
    fn other_names_are_refused() {
        for bad in [
            "torch.whl",
            "torch-1.0.tar.gz",
            "a-1--py3-none-any.whl",
            "../x-1-py3-none-any.whl",
            "x-v!-py3-none-any.whl",
            "x-1.0\r\n-py3-none-any.whl",
            "x- 1.0-py3-none-any.whl",
            "x-1.0-py3-none-\u{202e}any.whl",
        ] {
            assert!(bad.parse::<WheelName>().is_err(), "{bad}");
        }
    }
}
