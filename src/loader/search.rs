//! Where the dynamic linker looks: `LD_LIBRARY_PATH`, `ld.so.cache`, the default folders. Plain functions over bytes and text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::vocab::Arch;

/// The places every library is looked for in, whoever needs it.
#[derive(Debug, Clone, Default)]
pub struct SearchPaths {
    /// `LD_LIBRARY_PATH`.
    pub library_path: Vec<PathBuf>,
    /// `ld.so.cache`: a name, and the files it may mean.
    pub cache: BTreeMap<String, Vec<PathBuf>>,
    /// The folders searched last.
    pub defaults: Vec<PathBuf>,
}

/// The entries of `LD_LIBRARY_PATH`; an empty one is the working directory.
pub fn library_path(value: &str, working_directory: &Path) -> Vec<PathBuf> {
    value.split([':', ';']).map(|entry| working_directory.join(entry)).collect()
}

/// The folders that glibc searches last; which of them exist differs between distributions.
pub fn default_folders(arch: &Arch) -> Vec<String> {
    let mut folders = vec![format!("/lib/{arch}-linux-gnu"), format!("/usr/lib/{arch}-linux-gnu")];
    folders.extend(["/lib64", "/usr/lib64", "/lib", "/usr/lib"].map(str::to_owned));
    folders
}

/// The names and files of an `ld.so.cache`; what cannot be read of it is passed over, as the linker does.
///
/// The layout is glibc's `sysdeps/generic/dl-cache.h`: a header of 48 bytes, entries of 24, then strings.
pub fn parse_cache(bytes: &[u8]) -> BTreeMap<String, Vec<String>> {
    const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    const OLD_MAGIC: &[u8] = b"ld.so-1.7.0\0";
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let start = if bytes.starts_with(OLD_MAGIC) {
        // The format before, kept in front for old linkers: a count, entries of 12 bytes, then the new format.
        (u32_at(bytes, 12).unwrap_or(0) as usize).saturating_mul(12).saturating_add(16).next_multiple_of(8)
    } else {
        0
    };
    let Some(cache) = bytes.get(start..).filter(|cache| cache.starts_with(MAGIC)) else { return names };
    let count = u32_at(cache, 20).unwrap_or(0) as usize;
    let entries = cache.get(48..).unwrap_or_default().chunks_exact(24).take(count);
    for entry in entries {
        // Entries for newer processors stand beside plain ones for all.
        if entry[16..24] != [0; 8] {
            continue;
        }
        let text = |field: usize| u32_at(entry, field).and_then(|offset| string_at(cache, offset as usize));
        if let (Some(name), Some(path)) = (text(4), text(8)) {
            names.entry(name.to_owned()).or_default().push(path.to_owned());
        }
    }
    names
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    field.try_into().ok().map(u32::from_ne_bytes)
}

fn string_at(bytes: &[u8], at: usize) -> Option<&str> {
    let rest = bytes.get(at..)?;
    let rest = &rest[..rest.len().min(4096)];
    str::from_utf8(&rest[..rest.iter().position(|byte| *byte == 0)?]).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cache() -> Vec<u8> {
        let strings = b"libz.so.1\0/lib/libz.so.1\0";
        let mut bytes = b"glibc-ld.so.cache1.1".to_vec();
        bytes.extend(2u32.to_ne_bytes());
        bytes.resize(48, 0);
        let strings_at = 48 + 2 * 24;
        for hwcap in [0u64, 1 << 62] {
            for field in [0x0303u32, strings_at, strings_at + 10, 0] {
                bytes.extend(field.to_ne_bytes());
            }
            bytes.extend(hwcap.to_ne_bytes());
        }
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn the_cache_is_read_in_both_layouts() {
        let expected = BTreeMap::from([("libz.so.1".to_owned(), vec!["/lib/libz.so.1".to_owned()])]);
        assert_eq!(parse_cache(&cache()), expected);
        let mut old = b"ld.so-1.7.0\0".to_vec();
        old.extend(1u32.to_ne_bytes());
        old.resize(32, 0);
        old.extend(cache());
        assert_eq!(parse_cache(&old), expected);
        assert!(parse_cache(b"something else").is_empty());
    }

    #[test]
    fn an_empty_entry_of_the_library_path_is_the_working_directory() {
        assert_eq!(library_path("/a::b", Path::new("/w")), [Path::new("/a"), Path::new("/w/"), Path::new("/w/b")]);
    }

    proptest! {
        #[test]
        fn a_damaged_cache_never_panics(changes in prop::collection::vec((0usize..130, any::<u8>()), 1..16)) {
            let mut bytes = cache();
            for (at, byte) in changes {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            parse_cache(&bytes);
        }
    }
}
