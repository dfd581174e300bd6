//! Paths below a folder, written the same on every system: `/` between the components.

use std::path::{Component, Path, PathBuf};

/// A relative path as it is written in lists and journals.
pub fn slashed(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// What a written path means below `folder`.
pub fn joined(folder: &Path, path: &str) -> PathBuf {
    path.split('/').fold(folder.to_owned(), |folder, part| folder.join(part))
}

/// Whether a written path leads to something below the folder it is relative to, on this system.
pub fn is_below(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_was_meant() {
        let folder = Path::new("v");
        let path = folder.join("Lib").join("x.py");
        assert_eq!(joined(folder, &slashed(path.strip_prefix(folder).unwrap())), path);
        assert!(is_below("a/b") && !is_below("../a") && !is_below("a/../b") && !is_below("/a") && !is_below(""));
    }
}
