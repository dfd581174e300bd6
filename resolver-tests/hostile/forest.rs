//! Distributions made up as they are asked for, and a count of what was asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use torchfix::catalog::{Artifact, Index, IndexKind, Manifests, Page, PageFailure, Pages, SkipReason, Skipped};
use torchfix::machine::Machine;
use torchfix::request::{FileRules, Indexes, Request, VariantChoice};
use torchfix::resolve::{Resolution, ResolveError, resolve};
use torchfix::vocab::{Channel, CoreMetadata, Diagnostic, ExitStatus, PackageName, Url};

/// What a version's METADATA says after its name and version; `None` when it is refused.
type Requires = Box<dyn Fn(usize) -> Option<String> + Sync>;

/// An index in memory.
#[derive(Default)]
pub struct Forest {
    projects: BTreeMap<String, (usize, Requires)>,
    broken_links: BTreeMap<String, usize>,
    pub pages: AtomicUsize,
    pub metadata: AtomicUsize,
}

impl Forest {
    /// Adds a project with versions 1 to `versions`.
    pub fn project(
        mut self,
        name: &str,
        versions: usize,
        requires: impl Fn(usize) -> Option<String> + Sync + 'static,
    ) -> Self {
        self.projects.insert(name.to_owned(), (versions, Box::new(requires)));
        self
    }

    /// Adds a project with one version.
    pub fn one(self, name: &str, requires: &str) -> Self {
        let requires = requires.to_owned();
        self.project(name, 1, move |_| Some(requires.clone()))
    }

    /// Puts links that are no wheels on a project's page.
    pub fn broken_links(mut self, name: &str, count: usize) -> Self {
        self.broken_links.insert(name.to_owned(), count);
        self
    }

    /// Solves a request.
    pub fn solve(&self, requirements: &[&str]) -> Result<Resolution, ResolveError<Refused>> {
        let url = |host: &str| -> Url { format!("https://{host}.example/").parse().unwrap() };
        let request = Request {
            requirements: requirements.iter().map(|text| text.parse().unwrap()).collect(),
            constraints: Vec::new(),
            variant: VariantChoice::Auto,
            upgrade: false,
            pre_releases: false,
            indexes: Indexes {
                default: url("index"),
                extra: Vec::new(),
                find_links: Vec::new(),
                torch: url("pytorch"),
                torch_is_mirror: false,
                channel: Channel::default(),
                no_index: false,
            },
            files: FileRules::default(),
        };
        let machine = Machine::read_facts(
            r#"{"schema":"torchfix.facts/1","os":"linux","os_version":"6.1","arch":"x86_64","glibc":"2.36","gpus":[],
                "python":{"version":"3.12.9","implementation":"cpython","abi":"cp312"}}"#,
        )
        .unwrap();
        resolve(&machine, &request, Manifests::embedded(), self, &[])
    }
}

/// Metadata that is refused.
#[derive(Debug, thiserror::Error)]
#[error("the metadata of `{0}` is not valid")]
pub struct Refused(String);

impl Diagnostic for Refused {
    fn code(&self) -> &'static str {
        "test.refused"
    }

    fn exit_status(&self) -> ExitStatus {
        ExitStatus::Refused
    }
}

impl PageFailure for Refused {
    fn unreachable(&self) -> bool {
        false
    }
}

impl Pages for Forest {
    type Error = Refused;

    fn page(&self, index: &Index, name: &PackageName) -> Result<Option<Arc<Page>>, Refused> {
        self.pages.fetch_add(1, Ordering::Relaxed);
        let Some((versions, _)) = self.projects.get(name.as_ref()) else { return Ok(None) };
        let artifact = |version: usize| {
            let file_name = format!("{}-{version}-py3-none-any.whl", name.as_ref().replace('-', "_"));
            Artifact {
                url: format!("{}{file_name}", index.url).parse().unwrap(),
                file_name: file_name.parse().unwrap(),
                index: Index { url: index.url.clone(), kind: IndexKind::Simple },
                sha256: None,
                size: None,
                requires_python: None,
                yanked: None,
                metadata: None,
                upload_time: None,
            }
        };
        let skipped = |number| Skipped { file_name: format!("{name}-{number}.whl"), reason: SkipReason::BadLink };
        let broken = self.broken_links.get(name.as_ref()).copied().unwrap_or_default();
        let artifacts = (1..=*versions).map(artifact).collect();
        Ok(Some(Arc::new(Page { artifacts, skipped: (0..broken).map(skipped).collect() })))
    }

    fn metadata(&self, artifact: &Artifact) -> Result<Arc<CoreMetadata>, Refused> {
        self.metadata.fetch_add(1, Ordering::Relaxed);
        let refused = || Refused(artifact.file_name.to_string());
        let (name, version) = (&artifact.file_name.name, &artifact.file_name.version);
        let number = version.release()[0].try_into().unwrap();
        let requires = self.projects[name.as_ref()].1(number).ok_or_else(refused)?;
        let text = format!("Name: {name}\nVersion: {version}\n{requires}\n");
        CoreMetadata::parse(text.as_bytes()).map(Arc::new).map_err(|_| refused())
    }
}
