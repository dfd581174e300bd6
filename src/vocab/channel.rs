//! The channels of the PyTorch index.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where in its life a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// Releases.
    #[default]
    Stable,
    /// Candidates for the next release.
    Test,
    /// Built every night.
    Nightly,
}

impl Channel {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Channel::Stable => "stable",
            Channel::Test => "test",
            Channel::Nightly => "nightly",
        }
    }
}

/// A text that names no channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no channel; channels are stable, test, nightly")]
pub struct ParseChannelError(String);

impl FromStr for Channel {
    type Err = ParseChannelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "stable" => Ok(Channel::Stable),
            "test" => Ok(Channel::Test),
            "nightly" => Ok(Channel::Nightly),
            _ => Err(ParseChannelError(text.chars().filter(|c| !c.is_control()).take(80).collect())),
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_round_trip() {
        for name in ["stable", "test", "nightly"] {
            assert_eq!(name.parse::<Channel>().unwrap().to_string(), name);
        }
        assert!("Nightly".parse::<Channel>().is_err());
    }
}
