//! Finding an interpreter on PATH.

use std::path::{Path, PathBuf};

use super::{Interpreter, PythonError, PythonRequest, Tried};
use crate::host::Host;

impl Interpreter {
    /// The interpreter that is asked for, or else the first `python3` or `python` on PATH that runs.
    ///
    /// A candidate that does not run (pyenv's scripts, the Microsoft Store's alias), is too old, or is of another
    /// version than asked, is passed over; the error lists them.
    pub fn find(host: &Host, request: Option<&PythonRequest>, cache_dir: &Path) -> Result<Self, PythonError> {
        if let Some(PythonRequest::Path(path)) = request {
            let path = match path.strip_prefix("~") {
                Ok(rest) => host.home().map_or_else(|| path.clone(), |home| home.join(rest)),
                Err(_) => path.clone(),
            };
            return Self::ask(host, &path, cache_dir);
        }
        let mut tried = Vec::new();
        for path in candidates(host, &names(request)) {
            let asked = Self::ask(host, &path, cache_dir).and_then(|interpreter| admit(interpreter, request, &path));
            match asked {
                Ok(interpreter) => return Ok(interpreter),
                Err(error) => tried.push(error.into_tried(&path)),
            }
        }
        Err(not_found(host, request, tried))
    }
}

fn admit(interpreter: Interpreter, request: Option<&PythonRequest>, path: &Path) -> Result<Interpreter, PythonError> {
    match request {
        Some(PythonRequest::Version(version)) if !version.admits(&interpreter) => Err(PythonError::WrongVersion {
            path: path.to_owned(),
            found: interpreter.version.to_string(),
            wanted: version.to_string(),
        }),
        _ => Ok(interpreter),
    }
}

/// The names a wanted interpreter may go by, most telling first.
fn names(request: Option<&PythonRequest>) -> Vec<String> {
    let mut names = Vec::new();
    match request {
        Some(PythonRequest::Program(name)) => return vec![name.clone()],
        Some(PythonRequest::Version(version)) => {
            if let Some(minor) = version.minor {
                let threading = if version.free_threaded { "t" } else { "" };
                names.push(format!("python{}.{minor}{threading}", version.major));
            }
        }
        _ => {}
    }
    names.extend(["python3", "python"].map(str::to_owned));
    names
}

/// The files on PATH with these names, in PATH's order, each folder once.
fn candidates(host: &Host, names: &[String]) -> Vec<PathBuf> {
    let mut seen = Vec::new();
    let mut found = Vec::new();
    for folder in host.search_path().into_iter().filter(|folder| folder.is_absolute()) {
        // `/bin` is `/usr/bin` on most systems.
        let Ok(resolved) = fs_err::canonicalize(&folder) else { continue };
        if seen.contains(&resolved) {
            continue;
        }
        seen.push(resolved);
        for name in names {
            let path = folder.join(if cfg!(windows) { format!("{name}.exe") } else { name.clone() });
            if is_program(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// Whether this is a file that could run; the Microsoft Store's alias is an empty one.
fn is_program(path: &Path) -> bool {
    let Ok(metadata) = fs_err::metadata(path) else { return false };
    #[cfg(unix)]
    let executable = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let executable = true;
    metadata.is_file() && metadata.len() > 0 && executable
}

fn not_found(host: &Host, request: Option<&PythonRequest>, tried: Vec<Tried>) -> PythonError {
    let wanted = request.map_or_else(|| "Python".to_owned(), PythonRequest::title);
    PythonError::NotFound { wanted, tried, remedy: remedy(host, request) }
}

/// The command that gets a Python on this system.
fn remedy(host: &Host, request: Option<&PythonRequest>) -> String {
    let version = match request {
        Some(PythonRequest::Version(version)) => version.minor.map(|minor| format!("{}.{minor}", version.major)),
        _ => None,
    };
    if cfg!(windows) {
        return format!("winget install Python.Python.{}", version.as_deref().unwrap_or("3.12"));
    }
    if cfg!(target_os = "macos") {
        return version.map_or("brew install python".to_owned(), |version| format!("brew install python@{version}"));
    }
    let release = fs_err::read_to_string(host.system_path("/etc/os-release")).unwrap_or_default();
    let names: Vec<&str> = release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches('"').split(' '))
        .collect();
    let is = |family: &[&str]| names.iter().any(|name| family.contains(name));
    let version = version.as_deref();
    if is(&["fedora", "rhel", "centos"]) {
        format!("dnf install python{}", version.unwrap_or("3"))
    } else if is(&["arch"]) {
        "pacman -S python".to_owned()
    } else if is(&["suse", "opensuse"]) {
        format!("zypper install python{}", version.unwrap_or("3").replace('.', ""))
    } else if is(&["alpine"]) {
        "apk add python3".to_owned()
    } else {
        let version = version.unwrap_or("3");
        format!("apt install python{version} python{version}-venv")
    }
}
