//! The core metadata of a wheel, without the wheel.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::IndexError;
use super::remote_zip::{self, LARGEST_METADATA};
use crate::catalog::{Artifact, MetadataFile};
use crate::http::{Client, HttpError, TwinHosts, redacted};
use crate::vocab::{CoreMetadata, Sha256};

/// Where METADATA files are kept between runs, and how they are had.
pub(super) struct MetadataSource {
    folder: Option<PathBuf>,
    twins: TwinHosts,
}

impl MetadataSource {
    pub(super) fn new(cache: Option<&Path>, twins: TwinHosts) -> Self {
        Self { folder: cache.map(|cache| cache.join("metadata-v1")), twins }
    }

    /// From the cache, else the file beside the wheel, else out of the wheel.
    pub(super) fn metadata(&self, client: &Client, artifact: &Artifact) -> Result<CoreMetadata, IndexError> {
        let kept = self.kept_at(artifact);
        if let Some(metadata) = kept.as_deref().and_then(read).and_then(|bytes| judge(&bytes, artifact).ok()) {
            return Ok(metadata);
        }
        let bytes = match self.beside(client, artifact)? {
            Some(bytes) => bytes,
            None => remote_zip::metadata(client, &self.twins, artifact)?,
        };
        let metadata = judge(&bytes, artifact)?;
        if let Some(path) = kept
            && let Err(error) = write(&path, &bytes)
        {
            client.warn(format!("metadata is not kept for the next run: {error}"));
        }
        Ok(metadata)
    }

    /// The METADATA file that the index serves beside the wheel; `None` where it advertises none or serves none.
    fn beside(&self, client: &Client, artifact: &Artifact) -> Result<Option<Vec<u8>>, IndexError> {
        let Some(MetadataFile { url, sha256 }) = &artifact.metadata else { return Ok(None) };
        let bytes = match self.twins.ask(url, |url| client.file(url, LARGEST_METADATA)) {
            Ok(file) => file.bytes,
            // Advertised, but not there: the wheel itself has it.
            Err(HttpError::Status { status: 403 | 404, .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let actual = Sha256::of(&bytes);
        match sha256 {
            Some(expected) if *expected != actual => {
                Err(IndexError::MetadataHash { url: redacted(url), expected: *expected, actual })
            }
            _ => Ok(Some(bytes.to_vec())),
        }
    }

    /// By the wheel's hash; without one by its URL and size, and not at all for a local file, which changes in place.
    fn kept_at(&self, artifact: &Artifact) -> Option<PathBuf> {
        let key = match artifact.sha256 {
            Some(sha256) => sha256,
            None if artifact.url.scheme() == "file" => return None,
            None => Sha256::of(format!("{}\n{:?}", artifact.url, artifact.size).as_bytes()),
        };
        Some(self.folder.as_ref()?.join(format!("{key}.metadata")))
    }
}

/// Parses a METADATA file and holds it against the wheel's name.
fn judge(bytes: &[u8], artifact: &Artifact) -> Result<CoreMetadata, IndexError> {
    let wheel = &artifact.file_name;
    let metadata = CoreMetadata::parse(bytes)
        .map_err(|source| IndexError::BadMetadata { wheel: Box::new(wheel.clone()), source })?;
    let mismatch =
        |field, found: String| Err(IndexError::MetadataMismatch { wheel: Box::new(wheel.clone()), field, found });
    if metadata.name != wheel.name {
        return mismatch("Name", metadata.name.to_string());
    }
    if metadata.version != wheel.version {
        return mismatch("Version", metadata.version.to_string());
    }
    Ok(metadata)
}

/// What is kept at `path`: a line with its hash, then the file. One that is damaged is none.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = fs_err::read(path).ok()?;
    let line = bytes.iter().position(|byte| *byte == b'\n')?;
    let expected: Sha256 = str::from_utf8(&bytes[..line]).ok()?.parse().ok()?;
    bytes.drain(..=line);
    (Sha256::of(&bytes) == expected).then_some(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{}", Sha256::of(bytes))?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
