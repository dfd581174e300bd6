//! Platforms and Pythons as the manifests write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::vocab::{Arch, Os};

/// A system and a processor: `linux-x86_64`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// The operating system.
    pub os: Os,
    /// The processor.
    pub arch: Arch,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.os, self.arch)
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (os, arch) = text.split_once('-').unwrap_or((text, ""));
        let os = match os {
            "linux" => Os::Linux,
            "windows" => Os::Windows,
            "macos" => Os::Macos,
            _ => return Err(format!("`{text}` is not a platform such as `linux-x86_64`")),
        };
        match Arch::from(arch) {
            Arch::Other(_) => Err(format!("`{text}` is not a platform such as `linux-x86_64`")),
            arch => Ok(Self { os, arch }),
        }
    }
}

/// A minor version of CPython and whether it has the GIL: `3.13`, `3.13t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PythonAbi {
    /// 3 of `3.13`.
    pub major: u64,
    /// 13 of `3.13`.
    pub minor: u64,
    /// Whether it is free-threaded.
    pub free_threaded: bool,
}

impl fmt::Display for PythonAbi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}{}", self.major, self.minor, if self.free_threaded { "t" } else { "" })
    }
}

impl FromStr for PythonAbi {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (digits, free_threaded) = text.strip_suffix('t').map_or((text, false), |rest| (rest, true));
        let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        let parsed = digits.split_once('.').and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
        let (major, minor) = parsed.ok_or_else(|| format!("`{text}` is not a Python such as `3.13` or `3.13t`"))?;
        Ok(Self { major, minor, free_threaded })
    }
}

macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}
as_text!(Platform, PythonAbi);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_and_pythons_round_trip() {
        for text in ["linux-x86_64", "windows-aarch64", "macos-x86_64"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        for text in ["3.8", "3.13t"] {
            assert_eq!(text.parse::<PythonAbi>().unwrap().to_string(), text);
        }
        for bad in ["3", "cp313", "3.x", "3.+1", "t", "3.13tt"] {
            assert!(bad.parse::<PythonAbi>().is_err(), "{bad}");
        }
        assert!("linux-s390x".parse::<Platform>().is_err());
    }
}
