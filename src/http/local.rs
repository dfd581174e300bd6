//! `file:` URLs: folders of wheels and copies of an index on this machine.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use super::credentials::redacted;
use super::range::{ByteRange, Span};
use super::{HttpError, WrongRange};
use crate::vocab::Url;

/// The path a `file:` URL names, percent-decoded once.
pub(super) fn path(url: &Url) -> Result<PathBuf, HttpError> {
    url.to_file_path().map_err(|()| HttpError::UnsupportedUrl { url: redacted(url) })
}

/// A range of a local file.
pub(super) fn open(url: &Url, range: Option<ByteRange>) -> Result<(Span, io::Take<fs_err::File>), HttpError> {
    let failed = |error: io::Error| HttpError::LocalFile { url: redacted(url), source: Arc::new(error) };
    let mut file = fs_err::File::open(path(url)?).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    let total = metadata.len();
    let Some(range) = range else { return Ok((Span::Whole { size: Some(total) }, file.take(total))) };
    let Some((first, end)) = range.within(total) else {
        let reason = WrongRange::Beyond { total: Some(total) };
        return Err(HttpError::WrongRange { url: redacted(url), reason });
    };
    file.seek(SeekFrom::Start(first)).map_err(failed)?;
    Ok((Span::Part { first, end, total }, file.take(end - first)))
}

/// The size of a local file.
pub(super) fn size(url: &Url) -> Result<u64, HttpError> {
    let metadata = fs_err::metadata(path(url)?);
    let metadata = metadata.map_err(|error| HttpError::LocalFile { url: redacted(url), source: Arc::new(error) })?;
    Ok(metadata.len())
}
