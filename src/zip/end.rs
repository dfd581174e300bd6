//! The end of an archive: the end records, and where they say the central directory lies.

use super::ZipError;
use super::fields::{u16_at, u32_at, u64_at};

/// How many bytes of an archive's end must be at hand to tell its end record from a look-alike.
pub const TAIL: u64 = (END + u16::MAX as usize) as u64;

const END: usize = 22;
const LOCATOR: usize = 20;
const END_64: usize = 56;
const END_SIGNATURE: &[u8; 4] = b"PK\x05\x06";
const LOCATOR_SIGNATURE: &[u8; 4] = b"PK\x06\x07";
const END_64_SIGNATURE: &[u8; 4] = b"PK\x06\x06";
/// What every record a reader could start from begins with.
const SIGNATURES: [&[u8; 4]; 5] = [b"PK\x01\x02", b"PK\x03\x04", END_SIGNATURE, END_64_SIGNATURE, LOCATOR_SIGNATURE];

/// Where the central directory lies.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) entries: u64,
}

/// Finds the one end record; the directory must reach exactly to it.
pub(super) fn find(tail: &[u8], tail_offset: u64, file_size: u64) -> Result<End, ZipError> {
    if tail_offset.checked_add(tail.len() as u64) != Some(file_size) {
        return Err(ZipError::BadEndRecord("the bytes at hand are not the archive's last"));
    }
    let wanted = file_size.saturating_sub(TAIL);
    if tail_offset > wanted {
        return Err(ZipError::NeedMore { from: wanted });
    }
    let at = position(tail)?;
    let record = &tail[at..];
    if SIGNATURES.iter().any(|signature| contains(&record[END..], *signature)) {
        return Err(ZipError::HiddenInComment);
    }
    let field = |value: Option<u16>| value.map(u64::from).ok_or(ZipError::NoEndRecord);
    let (disk, directory_disk) = (field(u16_at(record, 4))?, field(u16_at(record, 6))?);
    let (entries_here, entries) = (field(u16_at(record, 8))?, field(u16_at(record, 10))?);
    let size = u32_at(record, 12).map(u64::from).ok_or(ZipError::NoEndRecord)?;
    let offset = u32_at(record, 16).map(u64::from).ok_or(ZipError::NoEndRecord)?;
    let mut end = End { offset, size, entries };
    let mut directory_end = tail_offset + at as u64;
    // A reader that looks for the locator here finds it whether or not the fields ask for it; so it counts always.
    let locator = at.checked_sub(LOCATOR).map(|start| &tail[start..at]);
    if let Some(locator) = locator.filter(|bytes| bytes.starts_with(LOCATOR_SIGNATURE)) {
        let wide = end_64(tail, tail_offset, at, locator)?;
        let agrees = |narrow: u64, wide: u64, unset: u64| narrow == unset || narrow == wide;
        if !agrees(entries, wide.entries, 0xffff)
            || !agrees(entries_here, wide.entries, 0xffff)
            || !agrees(size, wide.size, 0xffff_ffff)
            || !agrees(offset, wide.offset, 0xffff_ffff)
            || !agrees(disk, 0, 0xffff)
            || !agrees(directory_disk, 0, 0xffff)
        {
            return Err(ZipError::BadEndRecord("its two forms differ"));
        }
        directory_end -= (LOCATOR + END_64) as u64;
        end = wide;
    } else if disk != 0 || directory_disk != 0 || entries_here != entries {
        return Err(ZipError::BadEndRecord("it speaks of several disks"));
    }
    if end.offset.checked_add(end.size) != Some(directory_end) {
        return Err(ZipError::BadEndRecord("the directory does not end where it begins"));
    }
    Ok(end)
}

/// The place of the one end record whose comment reaches exactly to the end of the archive.
fn position(tail: &[u8]) -> Result<usize, ZipError> {
    let search = tail.len().saturating_sub(usize::try_from(TAIL).unwrap_or(usize::MAX));
    let mut nearest = None;
    let mut found = None;
    for at in (search..=tail.len().saturating_sub(END)).rev() {
        let Some(comment) = tail[at..].starts_with(END_SIGNATURE).then(|| u16_at(tail, at + 20)).flatten() else {
            continue;
        };
        let end = at + END + usize::from(comment);
        if end == tail.len() && found.replace(at).is_some() {
            return Err(ZipError::TwoEndRecords);
        }
        nearest = nearest.or(Some(end));
    }
    match (found, nearest) {
        (Some(at), _) => Ok(at),
        (None, Some(end)) if end < tail.len() => Err(ZipError::TrailingBytes((tail.len() - end) as u64)),
        (None, Some(_)) => Err(ZipError::BadEndRecord("its comment is cut short")),
        (None, None) => Err(ZipError::NoEndRecord),
    }
}

/// The zip64 end record, which must lie right before its locator.
fn end_64(tail: &[u8], tail_offset: u64, at: usize, locator: &[u8]) -> Result<End, ZipError> {
    let invalid = |reason| ZipError::BadEndRecord(reason);
    let start = at.checked_sub(LOCATOR + END_64).ok_or(invalid("its zip64 record is missing"))?;
    let record = &tail[start..at - LOCATOR];
    if u32_at(locator, 4) != Some(0) || u32_at(locator, 16).is_none_or(|disks| disks > 1) {
        return Err(invalid("it speaks of several disks"));
    }
    if u64_at(locator, 8) != Some(tail_offset + start as u64) || !record.starts_with(END_64_SIGNATURE) {
        return Err(invalid("its zip64 record is not right before the locator"));
    }
    if u64_at(record, 4) != Some(END_64 as u64 - 12) {
        return Err(invalid("its zip64 record carries extensible data"));
    }
    if u32_at(record, 16) != Some(0) || u32_at(record, 20) != Some(0) || u64_at(record, 24) != u64_at(record, 32) {
        return Err(invalid("it speaks of several disks"));
    }
    match (u64_at(record, 48), u64_at(record, 40), u64_at(record, 32)) {
        (Some(offset), Some(size), Some(entries)) => Ok(End { offset, size, entries }),
        _ => Err(invalid("its zip64 record is cut short")),
    }
}

fn contains(bytes: &[u8], pattern: &[u8]) -> bool {
    bytes.windows(pattern.len()).any(|window| window == pattern)
}
