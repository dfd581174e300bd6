//! Local headers and data descriptors: what stands beside an entry's bytes must agree with the directory.

use super::fields::{Extra, u16_at, u32_at, u64_at};
use super::{Entry, Method, ZipError};

/// Bytes of a local header before its name.
pub const LOCAL_HEADER: usize = 30;

const SIGNATURE: u32 = 0x0403_4b50;
const DESCRIPTOR_SIGNATURE: u32 = 0x0807_4b50;
/// Flag: sizes and CRC follow the data.
const DESCRIPTOR: u16 = 1 << 3;

/// A local header that agrees with the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalHeader {
    /// Bytes from the header's begin to the entry's data.
    pub length: u64,
    /// Bytes of the data descriptor between the entry's data and its end.
    pub descriptor: u64,
}

/// Judges the local header at the begin of `bytes` against the entry of the directory.
///
/// `bytes` may be short: `Ok(Err(n))` asks for `n` bytes from the header's begin.
pub fn judge_local_header(entry: &Entry, bytes: &[u8]) -> Result<Result<LocalHeader, usize>, ZipError> {
    let (Some(name_length), Some(extra_length)) = (u16_at(bytes, 26), u16_at(bytes, 28)) else {
        return Ok(Err(LOCAL_HEADER));
    };
    let invalid = |reason| ZipError::BadEntry { name: entry.path.clone(), reason };
    let differ = |field| ZipError::HeadersDiffer { name: entry.path.clone(), field };
    if u32_at(bytes, 0) != Some(SIGNATURE) {
        return Err(invalid("there is no local header where the directory says"));
    }
    let name_end = LOCAL_HEADER + usize::from(name_length);
    let length = name_end + usize::from(extra_length);
    let descriptor = (entry.end - entry.local_header_offset)
        .checked_sub(length as u64 + entry.compressed_size)
        .ok_or_else(|| ZipError::Overlap { name: entry.path.clone() })?;
    let (Some(name), Some(extra)) = (bytes.get(LOCAL_HEADER..name_end), bytes.get(name_end..length)) else {
        return Ok(Err(length));
    };
    let folder_slash: &[u8] = if entry.is_dir { b"/" } else { b"" };
    if name.strip_suffix(folder_slash) != Some(entry.path.as_bytes()) {
        return Err(differ("name"));
    }
    let extra = Extra::parse(extra).map_err(invalid)?;
    if extra.unicode_path.is_some_and(|path| path != name) {
        return Err(differ("name"));
    }
    let flags = u16_at(bytes, 6).unwrap_or_default();
    if flags != entry.flags {
        return Err(differ("set of flags"));
    }
    if u16_at(bytes, 8) != Some(entry.method.number()) {
        return Err(differ("method"));
    }
    let (size, compressed_size) = sizes(bytes, &extra).ok_or_else(|| invalid("its zip64 field is cut short"))?;
    let crc32 = u32_at(bytes, 14).unwrap_or_default();
    let late = flags & DESCRIPTOR != 0;
    // With a descriptor to follow the fields may be empty, or already right.
    let agrees = |local: u64, central: u64| local == central || (late && local == 0);
    if !agrees(u64::from(crc32), u64::from(entry.crc32)) {
        return Err(differ("CRC"));
    }
    if !agrees(size, entry.size) || !agrees(compressed_size, entry.compressed_size) {
        return Err(differ("size"));
    }
    match (late, descriptor) {
        (false, 0) | (true, 12 | 16 | 20 | 24) => Ok(Ok(LocalHeader { length: length as u64, descriptor })),
        (true, 0) => Err(invalid("its data descriptor is missing")),
        (_, count) => Err(ZipError::HiddenBytes { offset: entry.end - descriptor, count }),
    }
}

/// Judges the data descriptor that ends an entry; `bytes` is exactly what lies between its data and its end.
pub fn judge_descriptor(entry: &Entry, bytes: &[u8]) -> Result<(), ZipError> {
    let differ = |field| ZipError::HeadersDiffer { name: entry.path.clone(), field };
    let body = match bytes.len() {
        0 => return Ok(()),
        16 | 24 if u32_at(bytes, 0) == Some(DESCRIPTOR_SIGNATURE) => &bytes[4..],
        12 | 20 => bytes,
        _ => return Err(differ("data descriptor")),
    };
    if u32_at(body, 0) != Some(entry.crc32) {
        return Err(differ("CRC"));
    }
    let sizes = if body.len() == 12 {
        (u32_at(body, 4).map(u64::from), u32_at(body, 8).map(u64::from))
    } else {
        (u64_at(body, 4), u64_at(body, 12))
    };
    if sizes == (Some(entry.compressed_size), Some(entry.size)) { Ok(()) } else { Err(differ("size")) }
}

/// Size and compressed size of a local header; its zip64 field must hold both where it holds one.
fn sizes(bytes: &[u8], extra: &Extra<'_>) -> Option<(u64, u64)> {
    let (compressed_size, size) = (u32_at(bytes, 18)?, u32_at(bytes, 22)?);
    let wide = |at: usize| extra.zip64.and_then(|field| u64_at(field, at));
    // Without a zip64 field the largest number is just that: 4 GiB - 1.
    let is_wide = |narrow: u32| narrow == u32::MAX && extra.zip64.is_some();
    Some(match (is_wide(size), is_wide(compressed_size)) {
        (true, true) => (wide(0)?, wide(8)?),
        (true, false) => (wide(0)?, u64::from(compressed_size)),
        (false, true) => (u64::from(size), wide(0)?),
        (false, false) => (u64::from(size), u64::from(compressed_size)),
    })
}

impl Method {
    /// The number that headers carry.
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflate => 8,
        }
    }
}
