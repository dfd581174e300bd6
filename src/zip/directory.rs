//! The central directory: the authority on what an archive holds.

use std::collections::{BTreeSet, HashMap};

use super::fields::{Extra, u16_at, u32_at, u64_at};
use super::{LOCAL_HEADER, ZipError, end, name};

/// How an entry's bytes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// As they are.
    Stored,
    /// Compressed by deflate.
    Deflate,
}

/// One file or folder of an archive, as its directory declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path: relative, `/` between components, no `..`, no slash at the end.
    pub path: String,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// How its bytes are stored.
    pub method: Method,
    /// Its size as stored.
    pub compressed_size: u64,
    /// Its size in full.
    pub size: u64,
    /// The CRC-32 of its bytes.
    pub crc32: u32,
    /// Where its local header begins.
    pub local_header_offset: u64,
    /// Where what belongs to it ends: the next local header, or the directory.
    pub end: u64,
    /// Whether it is marked executable.
    pub executable: bool,
    pub(super) flags: u16,
}

/// A central directory that passed every check that needs no other byte of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CentralDirectory {
    /// The entries in the order their bytes lie in the archive; they touch each other and leave nothing between.
    pub entries: Vec<Entry>,
    /// Where the directory begins, which is where the entries' bytes end.
    pub offset: u64,
    /// The sum of the entries' sizes.
    pub total_size: u64,
}

/// The directory of the largest known wheel takes 1.2 MB.
const MAX_DIRECTORY: u64 = 64 << 20;
const MAX_TOTAL: u64 = 256 << 30;
const HEADER: usize = 46;
const SIGNATURE: u32 = 0x0201_4b50;
/// Deflate cannot do better: 258 bytes for two bits.
const MAX_RATIO: u64 = 1032;

impl CentralDirectory {
    /// Judges the directory from the archive's last bytes: `tail` begins at `tail_offset` of `file_size`.
    ///
    /// With less than [`end::TAIL`] bytes, or less than the whole directory, the error is [`ZipError::NeedMore`].
    pub fn judge(tail: &[u8], tail_offset: u64, file_size: u64) -> Result<Self, ZipError> {
        let end = end::find(tail, tail_offset, file_size)?;
        let limit = |what, declared, limit| {
            if declared > limit { Err(ZipError::TooLarge { what, declared, limit }) } else { Ok(()) }
        };
        limit("a directory", end.size, MAX_DIRECTORY)?;
        if end.entries > end.size / HEADER as u64 {
            return Err(ZipError::BadEndRecord("the directory is too small for its entries"));
        }
        let start = end.offset.checked_sub(tail_offset).ok_or(ZipError::NeedMore { from: end.offset })?;
        let cut = |place: u64| usize::try_from(place).ok();
        let bytes = cut(start)
            .zip(cut(end.size))
            .and_then(|(start, size)| tail.get(start..start.checked_add(size)?))
            .ok_or(ZipError::BadEndRecord("the directory lies outside the archive"))?;
        let mut entries = parse(bytes, end.entries)?;
        entries.sort_by_key(|entry| entry.local_header_offset);
        let total_size = entries.iter().try_fold(0u64, |sum, entry| sum.checked_add(entry.size)).unwrap_or(u64::MAX);
        limit("contents", total_size, MAX_TOTAL)?;
        lay_out(&mut entries, end.offset)?;
        judge_tree(&entries)?;
        Ok(Self { entries, offset: end.offset, total_size })
    }

    /// The first reason why the archive cannot be unpacked as it is on Windows, where `aux.py` is a device and names
    /// that differ only by case are one.
    pub fn trouble_on_windows(&self) -> Option<ZipError> {
        let mut folded: HashMap<String, &str> = HashMap::with_capacity(self.entries.len());
        let mut folders = BTreeSet::new();
        for entry in &self.entries {
            if name::is_reserved_on_windows(&entry.path) {
                return Some(ZipError::BadName { name: entry.path.clone(), reason: "Windows takes it for a device" });
            }
            if entry.path.contains(['<', '>', '"', '|', '?', '*']) {
                let reason = "it has a character that no name on Windows has";
                return Some(ZipError::BadName { name: entry.path.clone(), reason });
            }
            let parents = entry.path.match_indices('/').map(|(at, _)| &entry.path[..at]);
            for path in parents.filter(|parent| folders.insert(*parent)).chain([entry.path.as_str()]) {
                if let Some(first) = folded.insert(path.to_lowercase(), path)
                    && first != path
                {
                    return Some(ZipError::CaseClash { first: first.to_owned(), second: path.to_owned() });
                }
            }
        }
        None
    }
}

/// Every record of the directory, and nothing after the last.
fn parse(bytes: &[u8], count: u64) -> Result<Vec<Entry>, ZipError> {
    let mut entries = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
    let mut rest = bytes;
    for index in 0..count {
        let (entry, length) = parse_entry(rest, index)?;
        entries.push(entry);
        rest = &rest[length..];
    }
    if rest.is_empty() { Ok(entries) } else { Err(ZipError::BadEndRecord("the directory holds more than its entries")) }
}

fn parse_entry(bytes: &[u8], index: u64) -> Result<(Entry, usize), ZipError> {
    let broken = |reason| ZipError::BadDirectory { index, reason };
    let header = bytes.get(..HEADER).ok_or(broken("it is cut short"))?;
    if u32_at(header, 0) != Some(SIGNATURE) {
        return Err(broken("it has no signature"));
    }
    // The header is whole, so no field below is missing.
    let short = |at| u16_at(header, at).unwrap_or_default();
    let long = |at| u32_at(header, at).unwrap_or_default();
    let name_end = HEADER + usize::from(short(28));
    let extra_end = name_end + usize::from(short(30));
    let length = extra_end + usize::from(short(32));
    if bytes.len() < length {
        return Err(broken("it is cut short"));
    }
    let raw_name = &bytes[HEADER..name_end];
    let flags = short(8);
    let name::Name { path, is_dir } = name::judge(raw_name, flags & 1 << 11 != 0)?;
    let invalid = |reason| ZipError::BadEntry { name: path.clone(), reason };
    let unsupported = |what| ZipError::Unsupported { name: path.clone(), what };

    let extra = Extra::parse(&bytes[name_end..extra_end]).map_err(invalid)?;
    if extra.unicode_path.is_some_and(|other| other != raw_name) {
        return Err(invalid("it has two names"));
    }
    let mut wide = extra.zip64.unwrap_or_default();
    let mut widen = |narrow: u32| {
        if narrow != u32::MAX || extra.zip64.is_none() {
            return Ok(u64::from(narrow));
        }
        let value = u64_at(wide, 0).ok_or_else(|| invalid("its zip64 field is cut short"))?;
        wide = &wide[8..];
        Ok(value)
    };
    let size = widen(long(24))?;
    let compressed_size = widen(long(20))?;
    let local_header_offset = widen(long(42))?;

    // Encrypted, patched, strongly encrypted, with masked headers.
    if flags & (1 | 1 << 5 | 1 << 6 | 1 << 13) != 0 {
        return Err(unsupported("encrypted or patched"));
    }
    if short(34) != 0 {
        return Err(invalid("it lies on another disk"));
    }
    let method = match short(10) {
        0 => Method::Stored,
        8 => Method::Deflate,
        _ => return Err(unsupported("compressed by a method other than deflate")),
    };
    let mode = long(38) >> 16;
    let is_regular = match mode & 0o170_000 {
        0 => !is_dir,
        0o100_000 if !is_dir => true,
        0o040_000 if is_dir => false,
        0o120_000 => return Err(unsupported("a symbolic link")),
        0o100_000 | 0o040_000 => return Err(invalid("its mode and its name differ on whether it is a folder")),
        _ => return Err(unsupported("neither a file nor a folder")),
    };
    if is_dir && size != 0 {
        return Err(invalid("it is a folder with contents"));
    }
    match method {
        Method::Stored if size != compressed_size => return Err(invalid("it is stored, but its two sizes differ")),
        Method::Deflate if size / MAX_RATIO > compressed_size => {
            return Err(invalid("it cannot have been compressed so small"));
        }
        Method::Stored | Method::Deflate => {}
    }
    let executable = is_regular && mode & 0o111 != 0;
    let crc32 = long(16);
    // `end` is set when all entries are known.
    let entry =
        Entry { path, is_dir, method, compressed_size, size, crc32, local_header_offset, end: 0, executable, flags };
    Ok((entry, length))
}

/// Gives each entry its end; entries must begin at 0, follow each other, and each have room for what it declares.
fn lay_out(entries: &mut [Entry], directory: u64) -> Result<(), ZipError> {
    let first = entries.first().map_or(directory, |entry| entry.local_header_offset);
    if first != 0 {
        return Err(ZipError::HiddenBytes { offset: 0, count: first });
    }
    let ends: Vec<u64> = entries.iter().skip(1).map(|entry| entry.local_header_offset).chain([directory]).collect();
    for (entry, end) in entries.iter_mut().zip(ends) {
        entry.end = end;
        let name = entry.path.len() as u64 + u64::from(entry.is_dir);
        let least = (LOCAL_HEADER as u64 + name)
            .checked_add(entry.compressed_size)
            .and_then(|length| entry.local_header_offset.checked_add(length));
        if least.is_none_or(|least| least > end) {
            return Err(ZipError::Overlap { name: entry.path.clone() });
        }
    }
    Ok(())
}

/// No path twice, and nothing below a file.
fn judge_tree(entries: &[Entry]) -> Result<(), ZipError> {
    let mut kinds: HashMap<&str, bool> = HashMap::with_capacity(entries.len());
    for entry in entries {
        if kinds.insert(&entry.path, entry.is_dir).is_some() {
            return Err(ZipError::DuplicateName(entry.path.clone()));
        }
    }
    for entry in entries {
        let mut parents = entry.path.match_indices('/').map(|(at, _)| &entry.path[..at]);
        if let Some(parent) = parents.find(|parent| kinds.get(parent) == Some(&false)) {
            return Err(ZipError::FileAsFolder { name: entry.path.clone(), parent: parent.to_owned() });
        }
    }
    Ok(())
}
