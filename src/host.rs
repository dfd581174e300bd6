//! The door to the process's surroundings: variables, working directory, the root that system files are read under.
#![allow(clippy::disallowed_methods, reason = "this is the one place that asks the process itself")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::vocab::is_windows_device;

/// The surroundings of the process, read once; tests make their own.
#[derive(Debug, Clone)]
pub struct Host {
    variables: BTreeMap<OsString, OsString>,
    working_directory: PathBuf,
    root: PathBuf,
    /// Whether the names of variables are the same in upper and lower case.
    folds_case: bool,
    /// Whether stdin can answer a question.
    pub interactive: bool,
    /// Whether stderr is a terminal, where progress bars can be drawn.
    pub stderr_is_terminal: bool,
}

impl Host {
    /// The real process.
    pub fn of_process() -> io::Result<Self> {
        Ok(Self {
            variables: std::env::vars_os().collect(),
            working_directory: std::env::current_dir()?,
            root: PathBuf::from("/"),
            folds_case: cfg!(windows),
            interactive: io::stdin().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
        })
    }

    /// Surroundings made up by a test: system files lie under `root`.
    pub fn with(root: &Path, working_directory: &Path, variables: &[(&str, &str)]) -> Self {
        Self {
            variables: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            working_directory: working_directory.to_owned(),
            root: root.to_owned(),
            folds_case: cfg!(windows),
            interactive: false,
            stderr_is_terminal: false,
        }
    }

    /// A variable's value; one that is set but empty counts as not set, as pip and uv take it.
    ///
    /// Windows does not tell `Path` from `PATH`.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        let mut value = self.variables.get(OsStr::new(name));
        if value.is_none() && self.folds_case {
            value = self.variables.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        }
        value.map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A variable's value as text; `None` when it is not set, empty or not Unicode.
    pub fn text_variable(&self, name: &str) -> Option<&str> {
        self.variable(name).and_then(OsStr::to_str)
    }

    /// All variables, for child processes.
    pub fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// The working directory.
    pub fn working_directory(&self) -> &Path {
        &self.working_directory
    }

    /// A path typed by the user, made absolute against the working directory.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        self.working_directory.join(path)
    }

    /// Where the system file `path` (absolute) lies: `/proc/…` under the root.
    pub fn system_path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The user's home directory.
    pub fn home(&self) -> Option<PathBuf> {
        let name = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        self.variable(name).map(PathBuf::from)
    }

    /// The directories of `PATH`, in order.
    pub fn search_path(&self) -> Vec<PathBuf> {
        self.variable("PATH").map(|path| std::env::split_paths(path).collect()).unwrap_or_default()
    }
}

/// The place of what is at `path`, every link on the way resolved, as people and programs write it.
///
/// What Windows gives, `\\?\C:\venv`, is understood by few programs, and belongs into no file that others read.
pub fn resolve_links(path: &Path) -> io::Result<PathBuf> {
    let resolved = fs_err::canonicalize(path)?;
    let plain = resolved.to_str().and_then(without_verbatim_prefix);
    Ok(plain.map_or(resolved, PathBuf::from))
}

/// `C:\venv` of `\\?\C:\venv`, `\\server\share` of `\\?\UNC\server\share`.
///
/// `None` where the path is no such one, or would mean something else without.
/// However long the path is: the standard library puts the prefix before a long one by itself.
pub fn without_verbatim_prefix(path: &str) -> Option<String> {
    let rest = path.strip_prefix(r"\\?\")?;
    let (plain, components) = if let Some(share) = rest.strip_prefix(r"UNC\") {
        (format!(r"\\{share}"), share)
    } else {
        let (drive, below) = rest.split_at_checked(2)?;
        let is_drive = drive.starts_with(|letter: char| letter.is_ascii_alphabetic()) && drive.ends_with(':');
        (rest.to_owned(), below.strip_prefix('\\').filter(|_| is_drive)?)
    };
    // Without the prefix Windows cuts off dots and spaces, and takes some names for devices.
    let is_plain =
        |component: &str| !component.ends_with(['.', ' ']) && !component.contains('/') && !is_windows_device(component);
    components.split('\\').all(is_plain).then_some(plain)
}

/// Renames; on Windows a few times over about two seconds where another program is in the way.
///
/// Virus scanners and indexers hold what was just written for a moment, and a folder with an open file in it.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let mut pause = Duration::from_millis(10);
    loop {
        match fs_err::rename(from, to) {
            Err(error) if cfg!(windows) && may_pass(&error) && pause < Duration::from_secs(2) => {
                std::thread::sleep(pause);
                pause *= 2;
            }
            done => return done,
        }
    }
}

fn may_pass(error: &io::Error) -> bool {
    is_in_use(error) || error.kind() == io::ErrorKind::PermissionDenied
}

/// Whether an error says that another program has the file open.
pub fn is_in_use(error: &io::Error) -> bool {
    use io::ErrorKind::{ExecutableFileBusy, ResourceBusy};
    // ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION, ERROR_USER_MAPPED_FILE
    let said_by_windows = cfg!(windows) && matches!(os_code(error), Some(32 | 33 | 1224));
    said_by_windows || matches!(error.kind(), ResourceBusy | ExecutableFileBusy)
}

/// The system's number of an error; where fs-err has put a path around it, only its text still has that.
fn os_code(error: &io::Error) -> Option<i32> {
    let in_text = || error.to_string().rsplit_once("(os error ")?.1.trim_end_matches(')').parse().ok();
    error.raw_os_error().or_else(in_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_of_windows_goes_where_nothing_hangs_on_it() {
        let long = format!(r"C:\{}", r"folder\".repeat(60) + "é");
        for (path, plain) in [
            (r"\\?\C:\Users\me\a b\venv", Some(r"C:\Users\me\a b\venv")),
            (r"\\?\C:\", Some(r"C:\")),
            (r"\\?\UNC\server\share\venv", Some(r"\\server\share\venv")),
            (&format!(r"\\?\{long}"), Some(&*long)),
            (r"\\?\C:\dot.\venv", None),
            (r"\\?\C:\space \venv", None),
            (r"\\?\C:\nul.txt", None),
            (r"\\?\C:\com1", None),
            (r"\\?\C:\lpt²\venv", None),
            (r"\\?\C:\coma\com0", Some(r"C:\coma\com0")),
            (r"\\?\Volume{0}\venv", None),
            (r"\\?\C:", None),
            (r"\\?\é:\x", None),
            (r"\\.\C:\x", None),
            (r"C:\x", None),
            ("/usr", None),
        ] {
            assert_eq!(without_verbatim_prefix(path).as_deref(), plain, "{path}");
        }
    }

    #[test]
    fn system_paths_lie_under_the_root_and_empty_variables_are_unset() {
        let host = Host::with(Path::new("/fake"), Path::new("/work"), &[("A", ""), ("B", "b")]);
        assert_eq!(host.system_path("/proc/version"), Path::new("/fake/proc/version"));
        assert_eq!(host.absolute(Path::new("x")), Path::new("/work/x"));
        assert_eq!((host.variable("A"), host.text_variable("B")), (None, Some("b")));
    }

    #[test]
    fn the_number_of_an_error_is_found_behind_a_path() {
        let error = fs_err::metadata("no such file").unwrap_err();
        assert_eq!((error.raw_os_error(), os_code(&error)), (None, Some(2)));
        assert_eq!(os_code(&io::Error::from(io::ErrorKind::NotFound)), None);
    }

    #[test]
    fn where_case_does_not_count_path_is_found_under_every_spelling() {
        let host = |folds_case| Host { folds_case, ..Host::with(Path::new("/"), Path::new("/"), &[("Path", "x")]) };
        assert_eq!((host(true).text_variable("PATH"), host(false).text_variable("PATH")), (Some("x"), None));
    }
}
