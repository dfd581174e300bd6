//! What exists: the manifests' knowledge and the indexes' pages. `manifests/*.toml`, index pages → catalog.

mod artifact;
pub mod home;
pub mod index;
pub mod manifest;

pub use artifact::{Artifact, Index, IndexKind, MetadataFile, Page, SkipReason, Skipped};
pub use home::{Home, Homes, TorchSource};
pub use manifest::{ManifestError, Manifests};

use std::sync::Arc;

use crate::vocab::{CoreMetadata, PackageName};

/// Index pages and wheel metadata, from wherever they are; the solver asks for them through this.
pub trait Pages: Sync {
    /// The error of a page or of metadata that cannot be had.
    type Error: crate::vocab::Diagnostic + PageFailure;

    /// The page of a project; `None` when the index says the project is not here.
    fn page(&self, index: &Index, name: &PackageName) -> Result<Option<Arc<Page>>, Self::Error>;

    /// The core metadata of a wheel, without fetching the wheel.
    fn metadata(&self, artifact: &Artifact) -> Result<Arc<CoreMetadata>, Self::Error>;

    /// Hints that these will be asked for soon; they may be fetched in parallel meanwhile. Errors come when asked.
    fn prefetch(&self, _pages: &[(Index, PackageName)], _metadata: &[Artifact]) {}
}

/// What a solver must know of a page that cannot be had.
pub trait PageFailure {
    /// Whether the index itself cannot be reached: no answer, rather than a bad one.
    fn unreachable(&self) -> bool;
}

impl PageFailure for index::IndexError {
    fn unreachable(&self) -> bool {
        self.is_unreachable()
    }
}
