//! Index pages in memory, that count what is asked of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use torchfix::catalog::{Artifact, Index, Page, PageFailure, Pages, Skipped};
use torchfix::vocab::{CoreMetadata, Diagnostic, ExitStatus, PackageName, Sha256, WheelName};

/// One wheel of each version for each Python and platform.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WheelRow {
    /// `pypi`, `extra`, `links`, or a variant of the PyTorch index.
    index: String,
    project: String,
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
    /// Whether reading its METADATA is refused.
    #[serde(default)]
    broken_metadata: bool,
}

fn any_python() -> Vec<String> {
    vec!["py3-none".to_owned()]
}
fn any_platform() -> Vec<String> {
    vec!["any".to_owned()]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogFile {
    wheels: Vec<WheelRow>,
}

/// The pages of a scenario.
#[derive(Default)]
pub struct Catalog {
    pages: BTreeMap<String, Page>,
    metadata: BTreeMap<String, Option<String>>,
    unreachable: BTreeSet<String>,
    missing: BTreeSet<String>,
    asked: Mutex<BTreeSet<String>>,
    read: Mutex<BTreeSet<String>>,
}

impl Catalog {
    /// Without wheels.
    pub fn new(unreachable: BTreeSet<String>, missing: BTreeSet<String>) -> Self {
        Self { unreachable, missing, ..Self::default() }
    }

    /// Adds a file of `scenarios/catalog/`.
    pub fn load(&mut self, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("resolver-tests/scenarios/catalog").join(name);
        let file: CatalogFile = toml::from_str(&fs_err::read_to_string(path).unwrap()).unwrap();
        file.wheels.iter().for_each(|row| self.add(row));
    }

    /// Adds the wheels of a row.
    pub fn add(&mut self, row: &WheelRow) {
        let index = index_of(&row.index);
        let page = self
            .pages
            .entry(format!("{}/{}", row.index, row.project))
            .or_insert(Page { artifacts: Vec::new(), skipped: Vec::new() });
        for version in &row.versions {
            if row.source_only {
                let file_name = format!("{}-{version}.tar.gz", row.project);
                page.skipped.push(Skipped { file_name, reason: "a source distribution".to_owned() });
                continue;
            }
            for (python, platform) in
                row.pythons.iter().flat_map(|python| row.platforms.iter().map(move |p| (python, p)))
            {
                let python = match python.strip_suffix('t') {
                    _ if python.contains('-') => python.clone(),
                    Some(plain) => format!("{plain}-{python}"),
                    None => format!("{python}-{python}"),
                };
                let build = row.build.as_ref().map_or(String::new(), |build| format!("{build}-"));
                let name = row.project.replace('-', "_");
                let file_name = format!("{name}-{version}-{build}{python}-{platform}.whl");
                let url =
                    format!("{}/files/{}", index.url.as_str().trim_end_matches('/'), file_name.replace('+', "%2B"));
                let hidden = row.python_hidden;
                page.artifacts.push(Artifact {
                    file_name: file_name.parse::<WheelName>().unwrap(),
                    url: url.parse().unwrap(),
                    index: index.clone(),
                    sha256: Some(Sha256::of(file_name.as_bytes())),
                    size: None,
                    requires_python: row.requires_python.as_ref().filter(|_| !hidden).map(|text| text.parse().unwrap()),
                    yanked: row.yanked.clone(),
                    metadata: None,
                    upload_time: None,
                });
                self.metadata.insert(url, (!row.broken_metadata).then(|| metadata(row, version)));
            }
        }
    }

    /// Builds of torch whose METADATA was read.
    pub fn torch_metadata_read(&self) -> Vec<String> {
        self.read.lock().unwrap().iter().filter(|name| name.starts_with("torch-")).cloned().collect()
    }

    /// Whether a page was asked for: `cu118/torch`.
    pub fn was_asked(&self, page: &str) -> bool {
        self.asked.lock().unwrap().contains(page)
    }
}

fn metadata(row: &WheelRow, version: &str) -> String {
    let mut text = format!("Metadata-Version: 2.4\nName: {}\nVersion: {version}\n", row.project);
    let lines = |name: &str, values: &[String]| -> String {
        let lines: Vec<String> = values.iter().map(|value| format!("{name}: {value}\n")).collect();
        lines.concat()
    };
    text += &lines("Requires-Python", &row.requires_python.clone().into_iter().collect::<Vec<_>>());
    text += &lines("Provides-Extra", &row.extras);
    text + &lines("Requires-Dist", &row.requires)
}

fn index_of(name: &str) -> Index {
    use torchfix::catalog::IndexKind::{Links, Pytorch, Simple};
    let (url, kind) = match name {
        "pypi" | "extra" => (format!("https://{name}.example/"), Simple),
        "links" => (format!("https://{name}.example/"), Links),
        variant => (format!("https://pytorch.example/{variant}"), Pytorch),
    };
    Index { url: url.parse().unwrap(), kind }
}

/// A page that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Down {
    /// The index does not answer.
    #[error("`{0}` does not answer")]
    Unreachable(String),
    /// The metadata is refused.
    #[error("the metadata of `{0}` is not valid")]
    Refused(String),
}

impl Diagnostic for Down {
    fn code(&self) -> &'static str {
        match self {
            Down::Unreachable(_) => "test.unreachable",
            Down::Refused(_) => "test.refused",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            Down::Unreachable(_) => ExitStatus::Network,
            Down::Refused(_) => ExitStatus::Refused,
        }
    }
}

impl PageFailure for Down {
    fn unreachable(&self) -> bool {
        matches!(self, Down::Unreachable(_))
    }
}

impl Pages for Catalog {
    type Error = Down;

    fn page(&self, index: &Index, name: &PackageName) -> Result<Option<Arc<Page>>, Down> {
        let host = index.url.host_str().and_then(|host| host.strip_suffix(".example")).unwrap().to_owned();
        let index = if host == "pytorch" { index.url.path().trim_matches('/').to_owned() } else { host.clone() };
        let page = format!("{index}/{name}");
        self.asked.lock().unwrap().insert(page.clone());
        if self.unreachable.contains(&host) {
            return Err(Down::Unreachable(host));
        }
        Ok(self.pages.get(&page).filter(|_| !self.missing.contains(&page)).cloned().map(Arc::new))
    }

    fn metadata(&self, artifact: &Artifact) -> Result<Arc<CoreMetadata>, Down> {
        self.read.lock().unwrap().insert(artifact.file_name.to_string());
        let refused = || Down::Refused(artifact.file_name.to_string());
        let text = self.metadata.get(artifact.url.as_str()).and_then(Option::as_ref).ok_or_else(refused)?;
        CoreMetadata::parse(text.as_bytes()).map(Arc::new).map_err(|_| refused())
    }
}
