//! Wheels that a scenario brings itself.

use std::sync::Arc;

use serde::Deserialize;
use torchfix::vocab::Sha256;

use super::shelf::{Project, Requires, Wheel};

/// One wheel of each version for each Python and platform.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "each is one line of a scenario")]
pub struct WheelRow {
    /// `pypi`, `extra`, `links`, or a directory of the PyTorch index.
    pub index: String,
    pub project: String,
    versions: Vec<String>,
    /// `cp312`, `cp313t`, `py3-none`.
    #[serde(default = "any_python")]
    pythons: Vec<String>,
    #[serde(default = "any_platform")]
    platforms: Vec<String>,
    #[serde(default)]
    build: Option<String>,
    #[serde(default)]
    requires: Vec<String>,
    #[serde(default)]
    extras: Vec<String>,
    /// As METADATA and the page say it.
    #[serde(default)]
    requires_python: Option<String>,
    /// Whether only METADATA says it.
    #[serde(default)]
    python_hidden: bool,
    #[serde(default)]
    yanked: Option<String>,
    /// Whether the page lists source distributions instead.
    #[serde(default)]
    source_only: bool,
    /// Whether its METADATA is none.
    #[serde(default)]
    broken_metadata: bool,
    /// Whether METADATA lies in the wheel only.
    #[serde(default)]
    metadata_inside: bool,
}

fn any_python() -> Vec<String> {
    vec!["py3-none".to_owned()]
}
fn any_platform() -> Vec<String> {
    vec!["any".to_owned()]
}

impl WheelRow {
    /// Adds the wheels of the row to its project.
    pub(super) fn add_to(&self, project: &mut Project) {
        let python = self.requires_python.clone();
        let requires = Arc::new(Requires { python, lines: self.requires.clone(), extras: self.extras.clone() });
        for version in &self.versions {
            if self.source_only {
                project.sources.push(format!("{}-{version}.tar.gz", self.project));
                continue;
            }
            for (python, platform) in
                self.pythons.iter().flat_map(|python| self.platforms.iter().map(move |platform| (python, platform)))
            {
                let python = match python.strip_suffix('t') {
                    _ if python.contains('-') => python.clone(),
                    Some(plain) => format!("{plain}-{python}"),
                    None => format!("{python}-{python}"),
                };
                let build = self.build.as_ref().map_or_else(String::new, |build| format!("{build}-"));
                let tags = format!("{build}{python}-{platform}");
                project.wheels.push(Wheel {
                    name: self.project.replace('-', "_"),
                    version: version.clone(),
                    sha256: Some(Sha256::of(format!("{} {version} {tags}", self.project).as_bytes())),
                    tags,
                    requires: Arc::clone(&requires),
                    beside: !self.metadata_inside,
                    uploaded: None,
                    size: None,
                    yanked: self.yanked.clone(),
                    python_hidden: self.python_hidden,
                    broken: self.broken_metadata,
                });
            }
        }
    }
}
