//! Index pages on disk, as fresh as RFC 9111 has them.

use std::path::{Path, PathBuf};

use super::page::{self, PageBody};
use super::{Client, HttpError};
use crate::vocab::Url;

/// Pages kept between runs.
#[derive(Debug, Clone)]
pub struct PageCache {
    folder: Option<PathBuf>,
}

impl PageCache {
    /// Pages under `cache`, the folder that `--cache-dir` names.
    pub fn under(cache: &Path) -> Self {
        Self { folder: Some(cache.join("pages-v1")) }
    }

    /// No cache: every page is asked for.
    pub fn none() -> Self {
        Self { folder: None }
    }

    pub(super) fn page(&self, client: &Client, url: &Url, _accept: &str) -> Result<PageBody, HttpError> {
        client.file(url, page::LARGEST_PAGE)
    }
}
