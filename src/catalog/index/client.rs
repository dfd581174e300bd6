//! The indexes, asked over the network or on this machine.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::flights::Flights;
use super::metadata::MetadataSource;
use super::workers::Workers;
use super::{IndexError, RemoteWheel, folder, read_page};
use crate::catalog::{Artifact, Index, IndexKind, Page, Pages, SkipReason, Skipped};
use crate::http::{Client, PageCache, TwinHosts, redacted};
use crate::vocab::{CoreMetadata, Extent, PackageName, Url};

/// What is asked for, JSON first: <https://packaging.python.org/en/latest/specifications/simple-repository-api/>.
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";

/// Index pages and wheel metadata: each asked for once a run, and kept between runs.
pub struct IndexClient {
    shared: Arc<Shared>,
    workers: Workers,
}

type PageAnswer = Result<Option<Arc<Page>>, IndexError>;

struct Shared {
    client: Arc<Client>,
    cache: PageCache,
    metadata_source: MetadataSource,
    pages: Flights<(Index, PackageName), PageAnswer>,
    link_pages: Flights<Index, PageAnswer>,
    metadata: Flights<Url, Result<Arc<CoreMetadata>, IndexError>>,
    extents: Flights<Url, Result<Extent, IndexError>>,
    /// How many links the pages have that were read.
    links: AtomicUsize,
    /// What the metadata weighs that was read.
    weight: AtomicUsize,
}

/// The most links that the pages of one run may have, all together: what was read is kept to its end, and a link takes a
/// kilobyte. The pages of 500 distributions have some 300,000.
const MOST_LINKS_A_RUN: usize = 1_000_000;
/// The most that the metadata of one run may weigh; that of 500 distributions weighs some 200,000.
const HEAVIEST_RUN: usize = 2_000_000;

impl IndexClient {
    /// Asks through `client` and keeps what comes under `cache`; `twins` are the hosts that stand in for one another,
    /// none where a mirror was named.
    pub fn new(client: Arc<Client>, cache: Option<&Path>, twins: TwinHosts) -> Self {
        let shared = Shared {
            client,
            cache: cache.map_or_else(PageCache::none, PageCache::under),
            metadata_source: MetadataSource::new(cache, twins),
            pages: Flights::default(),
            link_pages: Flights::default(),
            metadata: Flights::default(),
            extents: Flights::default(),
            links: AtomicUsize::new(0),
            weight: AtomicUsize::new(0),
        };
        Self { shared: Arc::new(shared), workers: Workers::default() }
    }

    /// For each wheel what it comes to unpacked, several asked for at a time.
    ///
    /// A wheel whose metadata was read out of it costs nothing, any other one or two small ranges once.
    pub fn extents(&self, wheels: &[RemoteWheel]) -> Vec<Result<Extent, IndexError>> {
        for wheel in wheels.iter().filter(|wheel| !self.shared.extents.knows(&wheel.url)) {
            let (shared, wheel) = (Arc::clone(&self.shared), wheel.clone());
            self.workers.run(move || drop(shared.extent(&wheel)));
        }
        wheels.iter().map(|wheel| self.shared.extent(wheel)).collect()
    }
}

impl Pages for IndexClient {
    type Error = IndexError;

    fn page(&self, index: &Index, name: &PackageName) -> PageAnswer {
        self.shared.page(index, name)
    }

    fn metadata(&self, artifact: &Artifact) -> Result<Arc<CoreMetadata>, IndexError> {
        self.shared.metadata(artifact)
    }

    fn prefetch(&self, pages: &[(Index, PackageName)], metadata: &[Artifact]) {
        for key in pages.iter().filter(|key| !self.shared.pages.knows(key)) {
            let (shared, (index, name)) = (Arc::clone(&self.shared), key.clone());
            // The answer, or the error, stays in the map for whoever asks.
            self.workers.run(move || drop(shared.page(&index, &name)));
        }
        for artifact in metadata.iter().filter(|artifact| !self.shared.metadata.knows(&artifact.url)) {
            let (shared, artifact) = (Arc::clone(&self.shared), artifact.clone());
            self.workers.run(move || drop(shared.metadata(&artifact)));
        }
    }
}

impl Shared {
    fn page(&self, index: &Index, name: &PackageName) -> PageAnswer {
        self.pages.once((index.clone(), name.clone()), || match index.kind {
            IndexKind::Simple | IndexKind::Pytorch => {
                self.project_page(index, name).map(|page| page.map(|page| without_strangers(page, name)))
            }
            IndexKind::Links => {
                let page = self.link_pages.once(index.clone(), || self.link_page(index))?;
                Ok(page.and_then(|page| of_project(&page, name)))
            }
        })
    }

    fn metadata(&self, artifact: &Artifact) -> Result<Arc<CoreMetadata>, IndexError> {
        self.metadata.once(artifact.url.clone(), || {
            let metadata = self.metadata_source.metadata(&self.client, artifact)?;
            hold(&self.weight, metadata.weight, HEAVIEST_RUN, &artifact.url)?;
            Ok(Arc::new(metadata))
        })
    }

    fn extent(&self, wheel: &RemoteWheel) -> Result<Extent, IndexError> {
        self.extents.once(wheel.url.clone(), || self.metadata_source.extent(&self.client, wheel))
    }

    fn project_page(&self, index: &Index, name: &PackageName) -> PageAnswer {
        // The PyTorch index says 403 for what it does not have; elsewhere 403 is about credentials.
        let absent: &[u16] = if index.kind == IndexKind::Pytorch { &[403, 404] } else { &[404] };
        let Some(url) = project_url(&index.url, name) else { return Ok(None) };
        let page = self.fetch(&url, absent, index)?;
        if page.is_none()
            && index.url.scheme() == "file"
            && let Ok(path) = index.url.to_file_path()
        {
            // A folder without the project is an index; one that is not there is a mistake.
            fs_err::read_dir(&path).map_err(|error| IndexError::Folder { path, source: Arc::new(error) })?;
        }
        Ok(page)
    }

    /// A folder, or a page of links to the wheels of any project.
    fn link_page(&self, index: &Index) -> PageAnswer {
        if index.url.scheme() == "file"
            && let Ok(path) = index.url.to_file_path()
            && path.is_dir()
        {
            return folder::list(&path, index).map(|page| Some(Arc::new(page)));
        }
        self.fetch(&index.url, &[], index)
    }

    fn fetch(&self, url: &Url, absent: &[u16], index: &Index) -> PageAnswer {
        self.client.learn_credentials(&index.url);
        let Some(body) = self.client.page(url, ACCEPT, absent, &self.cache)? else { return Ok(None) };
        match read_page(&body.bytes, body.content_type.as_deref(), &body.url, index) {
            Ok(page) => {
                hold(&self.links, page.artifacts.len() + page.skipped.len(), MOST_LINKS_A_RUN, &body.url)?;
                Ok(Some(Arc::new(page)))
            }
            Err(fault) => Err(IndexError::BadPage { url: redacted(&body.url), fault }),
        }
    }
}

/// Adds to what a run holds; the error names what was too much.
fn hold(held: &AtomicUsize, more: usize, most: usize, url: &Url) -> Result<(), IndexError> {
    let before = held.fetch_add(more, Ordering::Relaxed);
    if before.saturating_add(more) > most { Err(IndexError::TooMuch { url: redacted(url) }) } else { Ok(()) }
}

/// `<index>/<project>/`, whether or not the index ends in a slash.
fn project_url(index: &Url, name: &PackageName) -> Option<Url> {
    let mut url = index.clone();
    url.path_segments_mut().ok()?.pop_if_empty().push(name.as_ref()).push("");
    Some(url)
}

/// A project's page, without wheels of other projects.
fn without_strangers(page: Arc<Page>, name: &PackageName) -> Arc<Page> {
    let own = |artifact: &Artifact| artifact.file_name.name == *name;
    if page.artifacts.iter().all(own) {
        return page;
    }
    let (own, strangers): (Vec<_>, Vec<_>) = page.artifacts.iter().cloned().partition(own);
    let strangers = strangers.into_iter().map(|artifact| Skipped {
        reason: SkipReason::OtherProject(artifact.file_name.name.clone()),
        file_name: artifact.file_name.to_string(),
    });
    Arc::new(Page { artifacts: own, skipped: page.skipped.iter().cloned().chain(strangers).collect() })
}

/// What a page of links to any project's wheels has of this one; `None` where that is nothing.
fn of_project(page: &Page, name: &PackageName) -> Option<Arc<Page>> {
    let own = |artifact: &&Artifact| artifact.file_name.name == *name;
    let artifacts: Vec<_> = page.artifacts.iter().filter(own).cloned().collect();
    let skipped: Vec<_> =
        page.skipped.iter().filter(|skipped| starts_with_name(&skipped.file_name, name)).cloned().collect();
    (!artifacts.is_empty() || !skipped.is_empty()).then(|| Arc::new(Page { artifacts, skipped }))
}

/// Whether a file that is no wheel is named as a release of the project would be.
fn starts_with_name(file_name: &str, name: &PackageName) -> bool {
    let normalised = file_name.to_ascii_lowercase().replace(['_', '.'], "-");
    normalised.strip_prefix(name.as_ref()).is_some_and(|rest| rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::{Diagnostic as _, ExitStatus};

    #[test]
    fn what_a_run_holds_has_an_end() {
        let (held, url) = (AtomicUsize::new(0), "https://u:p@a.example/x/".parse().unwrap());
        assert!(hold(&held, 6, 10, &url).is_ok() && hold(&held, 4, 10, &url).is_ok());
        let error = hold(&held, 1, 10, &url).unwrap_err();
        assert_eq!((error.code(), error.exit_status()), ("index.too-much", ExitStatus::Network));
        assert!(error.to_string().contains("a.example/x/") && !error.to_string().contains(":p@"), "{error}");
    }

    #[test]
    fn a_slash_at_the_end_of_an_index_makes_no_difference() {
        let name = "nvidia-cublas".parse().unwrap();
        for index in ["https://a.example/simple", "https://a.example/simple/"] {
            let url = project_url(&index.parse().unwrap(), &name).unwrap();
            assert_eq!(url.as_str(), "https://a.example/simple/nvidia-cublas/");
        }
    }
}
