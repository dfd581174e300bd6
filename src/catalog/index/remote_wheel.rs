//! A wheel that lies elsewhere.

use crate::catalog::Artifact;
use crate::vocab::{Sha256, Url, WheelName};

/// What must be known of a wheel to read a part of it, and to know it again in the next run.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteWheel {
    /// Its file name.
    pub file_name: WheelName,
    /// Where it lies.
    pub url: Url,
    /// What its bytes hash to, where the index says.
    pub sha256: Option<Sha256>,
    /// Its size, where the index says.
    pub size: Option<u64>,
}

impl From<&Artifact> for RemoteWheel {
    fn from(artifact: &Artifact) -> Self {
        Self {
            file_name: artifact.file_name.clone(),
            url: artifact.url.clone(),
            sha256: artifact.sha256,
            size: artifact.size,
        }
    }
}
