//! Folders of wheels on this machine (`--find-links`).

use std::path::Path;
use std::sync::Arc;

use super::link::{Gathering, Link, MOST_LINKS};
use super::{IndexError, PageFault};
use crate::catalog::{Index, Page};
use crate::vocab::Url;

/// The wheels that lie in a folder, in the order of their names.
pub(super) fn list(path: &Path, index: &Index) -> Result<Page, IndexError> {
    let failed = |error| IndexError::Folder { path: path.to_owned(), source: Arc::new(error) };
    let mut files = Vec::new();
    for entry in fs_err::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // A link to a file is a file here: people collect wheels that way.
        if fs_err::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file()) {
            files.push(entry);
        }
        if files.len() > MOST_LINKS {
            return Err(IndexError::BadPage { url: index.url.to_string(), fault: PageFault::TooManyLinks });
        }
    }
    files.sort_by_key(fs_err::DirEntry::file_name);
    let mut gathering = Gathering::new(index);
    for file in files {
        let Ok(url) = Url::from_file_path(file.path()) else { continue };
        let size = file.metadata().ok().map(|metadata| metadata.len());
        let link = Link { size, ..Link::to(url) };
        gathering.add(link).map_err(|fault| IndexError::BadPage { url: index.url.to_string(), fault })?;
    }
    Ok(gathering.finish())
}
