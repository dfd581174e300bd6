//! The core metadata of a wheel, and how large it is unpacked, without the wheel.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::remote_zip::{self, Contents, LARGEST_METADATA, TOO_LARGE};
use super::{IndexError, RemoteWheel};
use crate::catalog::{Artifact, MetadataFile};
use crate::http::{Client, HttpError, TwinHosts, redacted};
use crate::vocab::{CoreMetadata, Extent, Sha256};

/// Where METADATA files and what wheels come to are kept between runs, and how they are had.
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
        let wheel = RemoteWheel::from(artifact);
        let kept = self.kept_at(&wheel, "metadata");
        if let Some(metadata) = kept.as_deref().and_then(read).and_then(|bytes| judge(&bytes, artifact).ok()) {
            return Ok(metadata);
        }
        let bytes = if let Some(bytes) = self.beside(client, artifact)? {
            bytes
        } else {
            let Contents { metadata, extent } = remote_zip::contents(client, &self.twins, &wheel)?;
            self.keep_extent(client, &wheel, &extent);
            metadata
        };
        let metadata = judge(&bytes, artifact)?;
        keep(client, kept.as_deref(), &bytes);
        Ok(metadata)
    }

    /// What the wheel comes to unpacked: from the cache, else from the directory at its end.
    pub(super) fn extent(&self, client: &Client, wheel: &RemoteWheel) -> Result<Extent, IndexError> {
        let kept = self.kept_at(wheel, "extent").as_deref().and_then(read);
        if let Some(extent) = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(extent);
        }
        let extent = remote_zip::extent(client, &self.twins, wheel)?;
        self.keep_extent(client, wheel, &extent);
        Ok(extent)
    }

    fn keep_extent(&self, client: &Client, wheel: &RemoteWheel, extent: &Extent) {
        match serde_json::to_vec(extent) {
            Ok(bytes) => keep(client, self.kept_at(wheel, "extent").as_deref(), &bytes),
            Err(error) => client.warn(format!("what a wheel comes to is not kept for the next run: {error}")),
        }
    }

    /// The METADATA file that the index serves beside the wheel; `None` where it advertises none or serves none.
    fn beside(&self, client: &Client, artifact: &Artifact) -> Result<Option<Vec<u8>>, IndexError> {
        let Some(MetadataFile { url, sha256 }) = &artifact.metadata else { return Ok(None) };
        let bytes = match self.twins.ask(url, |url| client.file(url, LARGEST_METADATA)) {
            Ok(file) => file.bytes,
            // Advertised, but not there: the wheel itself has it.
            Err(HttpError::Status { status: 403 | 404, .. }) => return Ok(None),
            Err(HttpError::TooLarge { url, .. }) => return Err(IndexError::NoMetadata { url, reason: TOO_LARGE }),
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
    fn kept_at(&self, wheel: &RemoteWheel, what: &str) -> Option<PathBuf> {
        let key = match wheel.sha256 {
            Some(sha256) => sha256,
            None if wheel.url.scheme() == "file" => return None,
            None => Sha256::of(format!("{}\n{:?}", wheel.url, wheel.size).as_bytes()),
        };
        Some(self.folder.as_ref()?.join(format!("{key}.{what}")))
    }
}

/// Parses a METADATA file and holds it against the wheel's name.
fn judge(bytes: &[u8], artifact: &Artifact) -> Result<CoreMetadata, IndexError> {
    let wheel = &artifact.file_name;
    let metadata = CoreMetadata::parse(bytes)
        .map_err(|source| IndexError::BadMetadata { url: redacted(&artifact.url), source })?;
    let mismatch = |field, found| {
        Err(IndexError::MetadataMismatch { url: redacted(&artifact.url), wheel: Box::new(wheel.clone()), field, found })
    };
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

/// Keeps `bytes` at `path`, where there is a place to keep them; a failure costs the next run a request.
fn keep(client: &Client, path: Option<&Path>, bytes: &[u8]) {
    if let Some(Err(error)) = path.map(|path| write(path, bytes)) {
        client.warn(format!("metadata is not kept for the next run: {error}"));
    }
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
