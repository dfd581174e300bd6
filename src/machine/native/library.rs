//! Opening a library and reading what it writes.

use std::path::Path;

use libloading::Library;

/// The version of the GNU C library this process runs on; `None` where it runs on another or was linked statically.
pub fn running_glibc() -> Option<String> {
    #[cfg(all(target_os = "linux", not(target_feature = "crt-static")))]
    {
        use std::ffi::{CStr, c_char};

        let process = Library::from(libloading::os::unix::Library::this());
        // SAFETY: glibc declares `const char *gnu_get_libc_version(void)`, and only glibc has the name.
        let version =
            unsafe { process.get::<unsafe extern "C" fn() -> *const c_char>(b"gnu_get_libc_version\0") }.ok()?;
        // SAFETY: the function takes nothing and returns a terminated string that lives as long as the process.
        let version = unsafe { CStr::from_ptr(version()) };
        version.to_str().ok().map(str::to_owned)
    }
    #[cfg(not(all(target_os = "linux", not(target_feature = "crt-static"))))]
    {
        None
    }
}

/// Whether this program can open libraries while it runs; one that is linked statically on Linux cannot.
pub const OPENS_LIBRARIES: bool = !cfg!(all(target_os = "linux", target_feature = "crt-static"));

/// Opens the first of these libraries that opens.
pub(super) fn open(candidates: &[impl AsRef<Path>]) -> Option<Library> {
    candidates.iter().find_map(|path| open_one(path.as_ref()))
}

#[cfg(unix)]
fn open_one(path: &Path) -> Option<Library> {
    // SAFETY: NVIDIA's libraries have no initialisers beyond those of the C library; what the loader finds under
    // their names is what torch itself would load.
    unsafe { Library::new(path) }.ok()
}

#[cfg(windows)]
fn open_one(path: &Path) -> Option<Library> {
    use libloading::os::windows;
    let flags = windows::LOAD_LIBRARY_SEARCH_SYSTEM32 | windows::LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR;
    // SAFETY: NVIDIA's libraries have no initialisers beyond those of the C runtime; the path is a full one in
    // System32, and so are those of its dependencies.
    unsafe { windows::Library::load_with_flags(path, flags) }.ok().map(Library::from)
}

/// The text in a buffer that a library filled: up to its terminator or its end, printable characters only.
pub(super) fn text_of(buffer: &[u8]) -> Option<String> {
    let end = buffer.iter().position(|byte| *byte == 0).unwrap_or(buffer.len());
    let text: String = String::from_utf8_lossy(&buffer[..end]).chars().filter(|c| !c.is_control()).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A function of the library.
///
/// # Safety
/// `F` must be the function's type as the vendor's header declares it, and must not be called once the library is
/// closed.
pub(super) unsafe fn function<F: Copy>(library: &Library, name: &str) -> Option<F> {
    // SAFETY: the caller vouches for the type.
    unsafe { library.get::<F>(name) }.ok().map(|symbol| *symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_may_lack_a_terminator_or_hold_anything() {
        assert_eq!(text_of(b"Tesla T4\0garbage").as_deref(), Some("Tesla T4"));
        assert_eq!(text_of(b"unterminated").as_deref(), Some("unterminated"));
        assert_eq!(text_of(b"a\x1b[31m\xff\0").as_deref(), Some("a[31m\u{fffd}"));
        assert_eq!(text_of(b"\0\0"), None);
    }
}
