//! What a wheel comes to when it is unpacked, known before it is.

use serde::{Deserialize, Serialize};

/// How much room a wheel's files take, and how long their paths are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Extent {
    /// The sum of the files' sizes.
    pub bytes: u64,
    /// The longest path of a file below the folder it is installed in, `/` between components.
    pub longest_path: String,
}

impl Extent {
    /// Of a wheel's files, each its path in the archive and its size.
    pub fn of<'a>(files: impl Iterator<Item = (&'a str, u64)>) -> Self {
        let mut extent = Self::default();
        let mut longest = "";
        for (path, size) in files {
            extent.bytes = extent.bytes.saturating_add(size);
            let path = below_its_folder(path);
            if length(path) > length(longest) {
                longest = path;
            }
        }
        longest.clone_into(&mut extent.longest_path);
        extent
    }
}

/// A path without `NAME.data/SCHEME/`, whose place the folder of that scheme takes.
fn below_its_folder(path: &str) -> &str {
    match path.split_once('/') {
        Some((folder, rest)) if folder.strip_suffix(".data").is_some() => {
            rest.split_once('/').map_or(rest, |(_, below)| below)
        }
        _ => path,
    }
}

/// In units of UTF-16, as Windows counts.
fn length(path: &str) -> usize {
    path.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_counts_below_the_folder_it_goes_to() {
        let files = [("a/b.py", 3), ("torch-2.9.1.data/purelib/a/c.py", u64::MAX), ("a/\u{e4}\u{f6}.py", 1)];
        let extent = Extent::of(files.into_iter());
        assert_eq!((extent.bytes, extent.longest_path.as_str()), (u64::MAX, "a/\u{e4}\u{f6}.py"));
        assert_eq!(Extent::of(std::iter::empty()), Extent::default());
    }
}
