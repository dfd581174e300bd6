//! Names of entries: which of them may become a path.

use super::ZipError;
use crate::vocab::is_windows_device;

/// A name that passed: relative, `/` between components, and nothing in it that a system could read in another way.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The path, without the slash that ends a folder's name.
    pub(super) path: String,
    /// Whether the name ended in a slash.
    pub(super) is_dir: bool,
}

/// Judges the raw name of an entry; `utf8` is whether the archive says that it is UTF-8.
pub(super) fn judge(raw: &[u8], utf8: bool) -> Result<Name, ZipError> {
    let refuse = |reason| ZipError::BadName { name: printable(raw), reason };
    let text = str::from_utf8(raw).map_err(|_| refuse("it is not UTF-8"))?;
    if !utf8 && !text.is_ascii() {
        return Err(refuse("it is not marked as UTF-8"));
    }
    if text.contains('\\') {
        return Err(refuse("it has a backslash"));
    }
    if text.contains(':') {
        return Err(refuse("it has a colon"));
    }
    if text.chars().any(char::is_control) {
        return Err(refuse("it has a control character"));
    }
    if text.starts_with('/') {
        return Err(refuse("it is absolute"));
    }
    let (path, is_dir) = text.strip_suffix('/').map_or((text, false), |path| (path, true));
    for component in path.split('/') {
        match component {
            "" => return Err(refuse("it has an empty component")),
            "." | ".." => return Err(refuse("it has a `.` or `..` component")),
            _ if component.len() > 255 => return Err(refuse("a component is longer than 255 bytes")),
            _ if component.ends_with(['.', ' ']) => return Err(refuse("a component ends in a dot or a space")),
            _ => {}
        }
    }
    if path.len() > 4096 {
        return Err(refuse("it is longer than 4096 bytes"));
    }
    Ok(Name { path: path.to_owned(), is_dir })
}

/// Whether Windows takes a component of the path for a device: `con`, `aux.py`, `COM1`.
pub(super) fn is_reserved_on_windows(path: &str) -> bool {
    path.split('/').any(is_windows_device)
}

fn printable(raw: &[u8]) -> String {
    raw.iter().take(120).flat_map(|byte| byte.escape_ascii()).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        assert_eq!(judge(b"torch/lib/", true), Ok(Name { path: "torch/lib".to_owned(), is_dir: true }));
        assert!(judge("torch/naïve.py".as_bytes(), true).is_ok());
        assert!(judge(b"torch-2.9.1+cu128.dist-info/RECORD", false).is_ok());
    }

    #[test]
    fn names_that_could_leave_the_folder_are_refused() {
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "../x",
            "a/../x",
            "a/..",
            "./a",
            "a//b",
            "C:/x",
            "c:x",
            "a\\b",
            "\\\\host\\share",
            "a\0b",
            "a\nb",
            "x:stream",
            "a./b",
            "a /b",
            "b ",
            "…\u{7f}",
        ] {
            assert!(judge(bad.as_bytes(), true).is_err(), "{bad:?}");
        }
        assert!(judge(b"\xff", true).is_err());
        assert!(judge("é".as_bytes(), false).is_err(), "code page 437 would read it in another way");
    }

    #[test]
    fn devices_of_windows() {
        for device in ["con", "a/NUL", "aux.py/x", "Com1.txt", "lpt9"] {
            assert!(is_reserved_on_windows(device), "{device}");
        }
        assert!(!is_reserved_on_windows("console/com10/lpt0/auxiliary.py"));
    }
}
