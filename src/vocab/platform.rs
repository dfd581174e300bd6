//! Operating systems, processors, and the platform tags that name both.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An operating system that torch has wheels for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Os {
    /// Linux, WSL included.
    Linux,
    /// Windows.
    Windows,
    /// macOS.
    Macos,
}

impl fmt::Display for Os {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Os::Linux => "linux",
            Os::Windows => "windows",
            Os::Macos => "macos",
        })
    }
}

/// A processor architecture, named as `platform.machine()` does on Linux.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm.
    Aarch64,
    /// Any other, under its own name; torch has no wheels for it.
    #[serde(untagged)]
    Other(String),
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
            Arch::Other(name) => name,
        })
    }
}

impl From<&str> for Arch {
    fn from(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "x86_64" | "amd64" => Arch::X86_64,
            "aarch64" | "arm64" => Arch::Aarch64,
            other => Arch::Other(other.to_owned()),
        }
    }
}

/// The version of the GNU C library, `2.28`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GlibcVersion {
    /// Always 2 so far.
    pub major: u16,
    /// The release.
    pub minor: u16,
}

impl fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for GlibcVersion {
    type Err = ParsePlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParsePlatformError(text.chars().take(80).collect());
        // Distributions append to it: `2.36-9+deb12u14`, `2.17.1`.
        let mut numbers = text.trim().split(|c: char| !c.is_ascii_digit());
        let mut number = || numbers.next().and_then(|digits| digits.parse().ok());
        match (number(), number()) {
            (Some(major), Some(minor)) => Ok(Self { major, minor }),
            _ => Err(error()),
        }
    }
}

impl TryFrom<String> for GlibcVersion {
    type Error = ParsePlatformError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<GlibcVersion> for String {
    fn from(version: GlibcVersion) -> Self {
        version.to_string()
    }
}

/// A wheel platform tag that names a whole machine: `win_amd64`, `manylinux_2_28_x86_64`, `macosx_14_0_arm64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformTag {
    /// The operating system.
    pub os: Os,
    /// The processor.
    pub arch: Arch,
    /// The glibc that a manylinux tag promises.
    pub glibc: Option<GlibcVersion>,
    /// The macOS version that a macosx tag promises, major and minor.
    pub macos: Option<(u16, u16)>,
}

/// A string that is no platform tag or glibc version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a platform torchfix knows; platforms are written `win_amd64`, `manylinux_2_28_x86_64`, `macosx_14_0_arm64`"
)]
pub struct ParsePlatformError(String);

impl FromStr for PlatformTag {
    type Err = ParsePlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParsePlatformError(text.chars().take(80).collect());
        if let Some(arch) = text.strip_prefix("win_") {
            return match Arch::from(arch) {
                Arch::Other(_) => Err(error()),
                arch => Ok(Self { os: Os::Windows, arch, glibc: None, macos: None }),
            };
        }
        // PEP 600 gives the old names their glibc.
        for (prefix, minor) in [("manylinux1_", 5), ("manylinux2010_", 12), ("manylinux2014_", 17)] {
            if let Some(arch) = text.strip_prefix(prefix) {
                return Ok(Self::linux(arch, Some(GlibcVersion { major: 2, minor })));
            }
        }
        let versioned = |rest: &str| -> Option<(u16, u16, String)> {
            let mut parts = rest.splitn(3, '_');
            let (major, minor) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some((major, minor, parts.next().filter(|arch| !arch.is_empty())?.to_owned()))
        };
        if let Some(rest) = text.strip_prefix("manylinux_") {
            let (major, minor, arch) = versioned(rest).ok_or_else(error)?;
            return Ok(Self::linux(&arch, Some(GlibcVersion { major, minor })));
        }
        if let Some(arch) = text.strip_prefix("linux_").filter(|arch| !arch.is_empty()) {
            return Ok(Self::linux(arch, None));
        }
        let (major, minor, arch) = text.strip_prefix("macosx_").and_then(versioned).ok_or_else(error)?;
        Ok(Self { os: Os::Macos, arch: Arch::from(arch.as_str()), glibc: None, macos: Some((major, minor)) })
    }
}

impl PlatformTag {
    fn linux(arch: &str, glibc: Option<GlibcVersion>) -> Self {
        Self { os: Os::Linux, arch: Arch::from(arch), glibc, macos: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_tags_name_a_machine() {
        let tag: PlatformTag = "manylinux_2_28_x86_64".parse().unwrap();
        assert_eq!(
            (tag.os, tag.arch, tag.glibc),
            (Os::Linux, Arch::X86_64, Some(GlibcVersion { major: 2, minor: 28 }))
        );
        let tag: PlatformTag = "manylinux2014_aarch64".parse().unwrap();
        assert_eq!((tag.arch, tag.glibc.unwrap().minor), (Arch::Aarch64, 17));
        assert_eq!("win_amd64".parse::<PlatformTag>().unwrap().os, Os::Windows);
        assert_eq!("macosx_14_0_arm64".parse::<PlatformTag>().unwrap().macos, Some((14, 0)));
        for bad in ["", "any", "win_", "win_foo", "manylinux_2_x", "macosx_14"] {
            assert!(bad.parse::<PlatformTag>().is_err(), "{bad}");
        }
    }

    #[test]
    fn glibc_versions_survive_what_distributions_append() {
        assert_eq!("2.36-9+deb12u14".parse(), Ok(GlibcVersion { major: 2, minor: 36 }));
        assert!("".parse::<GlibcVersion>().is_err());
    }
}
