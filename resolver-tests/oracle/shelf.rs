//! Index pages in memory, made of a case's wheels.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use torchfix::catalog::{Artifact, Index, IndexKind, Page, PageFailure, Pages};
use torchfix::request::Indexes;
use torchfix::vocab::{Channel, CoreMetadata, Diagnostic, ExitStatus, PackageName, Sha256};

use super::wheel::{Place, Wheel};

const PYPI: &str = "https://pypi.example/simple";
const PYTORCH: &str = "https://pytorch.example/whl";

/// The indexes that [`Shelf`] answers for.
pub fn indexes() -> Indexes {
    Indexes {
        default: PYPI.parse().unwrap(),
        extra: Vec::new(),
        find_links: Vec::new(),
        torch: PYTORCH.parse().unwrap(),
        torch_is_mirror: false,
        channel: Channel::Stable,
        no_index: false,
    }
}

/// `None` where an index has no page of a project.
type KnownPages = HashMap<(Place, PackageName), Option<Arc<Page>>>;

/// The pages of one case; each is made when it is asked for.
pub struct Shelf<'a> {
    wheels: Vec<&'a Wheel>,
    pytorch_down: bool,
    pages: Mutex<KnownPages>,
}

thread_local! {
    /// Names and URLs take longer to parse than a case takes to solve.
    static ARTIFACTS: RefCell<HashMap<Place, HashMap<String, Artifact>>> = RefCell::default();
    static METADATA: RefCell<HashMap<String, Arc<CoreMetadata>>> = RefCell::default();
}

impl<'a> Shelf<'a> {
    /// Pages that list these wheels in this order.
    pub fn of(wheels: impl IntoIterator<Item = &'a Wheel>, pytorch_down: bool) -> Self {
        Self { wheels: wheels.into_iter().collect(), pytorch_down, pages: Mutex::default() }
    }

    /// The place of a wheel by its URL, or by that of its index.
    pub fn place(url: &str) -> Place {
        match url.strip_prefix(PYTORCH) {
            Some(rest) => Place::Directory(rest.trim_start_matches('/').split('/').next().unwrap().to_owned()),
            None => Place::Pypi,
        }
    }
}

fn artifact(wheel: &Wheel) -> Artifact {
    let mut artifact = ARTIFACTS.with_borrow_mut(|known| {
        if !known.contains_key(&wheel.place) {
            known.insert(wheel.place.clone(), HashMap::new());
        }
        let known = known.get_mut(&wheel.place).unwrap();
        if let Some(artifact) = known.get(&wheel.file_name) {
            return artifact.clone();
        }
        let (url, kind) = match &wheel.place {
            Place::Directory(variant) => (format!("{PYTORCH}/{variant}"), IndexKind::Pytorch),
            Place::Pypi => (PYPI.to_owned(), IndexKind::Simple),
        };
        let artifact = Artifact {
            file_name: wheel.file_name.parse().unwrap(),
            url: format!("{url}/{}", wheel.file_name.replace('+', "%2B")).parse().unwrap(),
            index: Index { url: url.parse().unwrap(), kind },
            sha256: Some(Sha256::of(wheel.file_name.as_bytes())),
            size: None,
            requires_python: None,
            yanked: None,
            metadata: None,
            upload_time: None,
        };
        known.insert(wheel.file_name.clone(), artifact.clone());
        artifact
    });
    let said = wheel.requires_python.as_ref().filter(|_| wheel.on_page);
    artifact.requires_python = said.map(|spec| spec.to_string().parse().unwrap());
    artifact
}

fn metadata(wheel: &Wheel) -> Arc<CoreMetadata> {
    let text = wheel.metadata();
    METADATA.with_borrow_mut(|known| {
        if let Some(metadata) = known.get(&text) {
            return metadata.clone();
        }
        let metadata = Arc::new(CoreMetadata::parse(text.as_bytes()).unwrap());
        known.insert(text, metadata.clone());
        metadata
    })
}

/// A page that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("the index does not answer")]
pub struct Down;

impl Diagnostic for Down {
    fn code(&self) -> &'static str {
        "test.unreachable"
    }

    fn exit_status(&self) -> ExitStatus {
        ExitStatus::Network
    }
}

impl PageFailure for Down {
    fn unreachable(&self) -> bool {
        true
    }
}

impl Pages for Shelf<'_> {
    type Error = Down;

    fn page(&self, index: &Index, name: &PackageName) -> Result<Option<Arc<Page>>, Down> {
        if self.pytorch_down && index.kind == IndexKind::Pytorch {
            return Err(Down);
        }
        let place = Self::place(index.url.as_str());
        let mut pages = self.pages.lock().unwrap();
        let page = pages.entry((place, name.clone())).or_insert_with_key(|(place, name)| {
            let here = self.wheels.iter().filter(|wheel| wheel.place == *place && wheel.name == name.as_ref());
            let artifacts: Vec<Artifact> = here.map(|wheel| artifact(wheel)).collect();
            (!artifacts.is_empty()).then(|| Arc::new(Page { artifacts, skipped: Vec::new() }))
        });
        Ok(page.clone())
    }

    fn metadata(&self, artifact: &Artifact) -> Result<Arc<CoreMetadata>, Down> {
        let place = Self::place(artifact.index.url.as_str());
        let is = |wheel: &&&Wheel| wheel.file_name == artifact.file_name.as_str() && wheel.place == place;
        Ok(metadata(self.wheels.iter().find(is).unwrap()))
    }
}

/// The same wheels in another order.
pub fn reordered(wheels: &[Wheel]) -> Vec<&Wheel> {
    let mut order: Vec<&Wheel> = wheels.iter().rev().collect();
    let middle = order.len() / 3;
    order.rotate_left(middle);
    order
}
