//! What a remote wheel's directory says, and one file out of it, by a few ranges.

use std::io::Read as _;

use super::{IndexError, RemoteWheel};
use crate::http::{Body, ByteRange, Client, HttpError, Span, TwinHosts, Validator, redacted};
use crate::vocab::{Extent, Url};
use crate::zip::{CentralDirectory, Entry, Method, TAIL, ZipError, judge_local_header};

/// A wheel that is served without ranges is read whole up to this size.
const LARGEST_WHOLE: u64 = 64 << 20;

/// For its directory alone a wheel is read whole up to this size.
const LARGEST_WHOLE_FOR_DIRECTORY: u64 = 1 << 20;

/// A METADATA file that is larger is none.
pub(super) const LARGEST_METADATA: u64 = 8 << 20;

/// What is wrong with such a file.
pub(super) const TOO_LARGE: &str = "it is larger than 8 MiB";

/// What was read out of a wheel.
pub(super) struct Contents {
    pub(super) metadata: Vec<u8>,
    /// What it comes to unpacked.
    pub(super) extent: Extent,
}

/// Reads METADATA out of a wheel: the directory at its end, then the entry.
///
/// Of a wheel of 900 MB that are about 1.2 MB, nearly all of it the directory.
pub(super) fn contents(client: &Client, twins: &TwinHosts, wheel: &RemoteWheel) -> Result<Contents, IndexError> {
    let mut tail = Tail::fetch(client, twins, wheel, LARGEST_WHOLE)?;
    let directory = directory(client, wheel, &mut tail)?;
    let bad_archive = |source| bad_archive(wheel, source);
    let no_metadata = |reason| IndexError::NoMetadata { url: redacted(&wheel.url), reason };
    let mut entries = directory.entries.iter().filter(|entry| is_metadata(entry));
    let entry = match (entries.next(), entries.next()) {
        (Some(entry), None) => entry,
        (None, _) => return Err(no_metadata("there is no `*.dist-info/METADATA`")),
        (Some(_), Some(_)) => return Err(no_metadata("there is more than one `*.dist-info` folder")),
    };
    if entry.size > LARGEST_METADATA || entry.end - entry.local_header_offset > 2 * LARGEST_METADATA {
        return Err(no_metadata(TOO_LARGE));
    }
    if entry.local_header_offset < tail.first {
        tail.replace(client, entry.local_header_offset, entry.end)?;
    }
    let bytes =
        tail.part(entry.local_header_offset, entry.end).ok_or_else(|| no_metadata("it lies outside the wheel"))?;
    let Ok(header) = judge_local_header(entry, bytes).map_err(bad_archive)? else {
        return Err(no_metadata("its local header is cut short"));
    };
    let packed = usize::try_from(header.length).ok().and_then(|length| bytes.get(length..));
    let packed = packed.ok_or_else(|| no_metadata("its local header is cut short"))?;
    let metadata = unpack(entry, packed).ok_or_else(|| no_metadata("its bytes are not what the directory declares"))?;
    Ok(Contents { metadata, extent: extent_of(&directory) })
}

/// What a wheel comes to unpacked, by its directory alone.
pub(super) fn extent(client: &Client, twins: &TwinHosts, wheel: &RemoteWheel) -> Result<Extent, IndexError> {
    let mut tail = Tail::fetch(client, twins, wheel, LARGEST_WHOLE_FOR_DIRECTORY)?;
    Ok(extent_of(&directory(client, wheel, &mut tail)?))
}

fn extent_of(directory: &CentralDirectory) -> Extent {
    Extent::of(directory.entries.iter().map(|entry| (entry.path.as_str(), entry.size)))
}

/// The wheel's directory; `tail` is made longer where it does not hold all of it.
fn directory(client: &Client, wheel: &RemoteWheel, tail: &mut Tail) -> Result<CentralDirectory, IndexError> {
    loop {
        match CentralDirectory::judge(&tail.bytes, tail.first, tail.total) {
            Err(ZipError::NeedMore { from }) if from < tail.first => tail.extend(client, from)?,
            judged => return judged.map_err(|source| bad_archive(wheel, source)),
        }
    }
}

fn bad_archive(wheel: &RemoteWheel, source: ZipError) -> IndexError {
    IndexError::BadArchive { url: redacted(&wheel.url), source }
}

fn is_metadata(entry: &Entry) -> bool {
    let folder = entry.path.strip_suffix("/METADATA").unwrap_or_default();
    folder.ends_with(".dist-info") && !folder.contains('/') && !entry.is_dir
}

/// The entry's bytes, held against their declared size and CRC.
fn unpack(entry: &Entry, packed: &[u8]) -> Option<Vec<u8>> {
    let packed = packed.get(..usize::try_from(entry.compressed_size).ok()?)?;
    let mut bytes = Vec::new();
    match entry.method {
        Method::Stored => bytes.extend_from_slice(packed),
        Method::Deflate => {
            flate2::read::DeflateDecoder::new(packed).take(entry.size + 1).read_to_end(&mut bytes).ok()?;
        }
    }
    (bytes.len() as u64 == entry.size && crc32fast::hash(&bytes) == entry.crc32).then_some(bytes)
}

/// A part of a remote file that begins at `first`; at the start, its end.
struct Tail {
    url: Url,
    bytes: Vec<u8>,
    first: u64,
    total: u64,
    validator: Option<Validator>,
}

impl Tail {
    /// The end of the wheel; all of it from a server without ranges, where that is at most `largest_whole`.
    fn fetch(client: &Client, twins: &TwinHosts, wheel: &RemoteWheel, largest_whole: u64) -> Result<Self, IndexError> {
        let (url, (span, validator), bytes) = twins.ask(&wheel.url, |url| {
            let ((span, validator), bytes) = client.whole(url, || {
                let body = match client.range(url, ByteRange::Last(TAIL), None) {
                    // Some servers know only ranges that count from the begin.
                    Err(error) if refuses_ends(&error) => from_begin(client, url, wheel.size, error)?,
                    body => body?,
                };
                let too_large = body.span.length().is_some_and(|length| length > largest_whole);
                let most = if too_large { 0 } else { largest_whole + 1 };
                Ok(((body.span, body.validator.clone()), body.take(most)))
            })?;
            Ok((url.clone(), (span, validator), bytes))
        })?;
        let length = span.length().unwrap_or(bytes.len() as u64);
        if length > largest_whole {
            return Err(IndexError::NoRanges { url: redacted(&url) });
        }
        let (first, total) = match span {
            Span::Part { first, total, .. } => (first, total),
            Span::Whole { .. } => (0, length),
        };
        Ok(Self { url, bytes, first, total, validator })
    }

    /// Makes it begin at `from`, before where it began.
    fn extend(&mut self, client: &Client, from: u64) -> Result<(), IndexError> {
        if self.total - from > LARGEST_WHOLE {
            return Err(IndexError::NoRanges { url: redacted(&self.url) });
        }
        let mut bytes = self.span(client, from, self.first)?;
        bytes.append(&mut self.bytes);
        self.bytes = bytes;
        self.first = from;
        Ok(())
    }

    /// Makes it another part of the same file.
    fn replace(&mut self, client: &Client, first: u64, end: u64) -> Result<(), IndexError> {
        self.bytes = self.span(client, first, end)?;
        self.first = first;
        Ok(())
    }

    fn part(&self, first: u64, end: u64) -> Option<&[u8]> {
        let place = |position: u64| usize::try_from(position.checked_sub(self.first)?).ok();
        self.bytes.get(place(first)?..place(end)?)
    }

    fn span(&self, client: &Client, first: u64, end: u64) -> Result<Vec<u8>, IndexError> {
        let wanted = Span::Part { first, end, total: self.total };
        let (span, bytes) = client.whole(&self.url, || {
            let body = client.range(&self.url, ByteRange::Span { first, end }, self.validator.as_ref())?;
            let most = if body.span == wanted { end - first } else { 0 };
            Ok((body.span, body.take(most)))
        })?;
        if span == wanted { Ok(bytes) } else { Err(IndexError::FileChanged { url: redacted(&self.url) }) }
    }
}

fn refuses_ends(error: &HttpError) -> bool {
    matches!(error, HttpError::WrongRange { .. }) || matches!(error.status(), Some(400 | 501))
}

/// The end of a file, asked for by where it begins.
fn from_begin(client: &Client, url: &Url, size: Option<u64>, error: HttpError) -> Result<Body, HttpError> {
    let size = match size {
        Some(size) => Some(size),
        None => client.size(url)?,
    };
    match size.filter(|size| *size > 0) {
        Some(size) => {
            let first = size.saturating_sub(TAIL);
            client.range(url, ByteRange::Span { first, end: size }, None)
        }
        None => Err(error),
    }
}
