//! Finding an interpreter, on PATH and where Windows keeps them.

use std::path::{Path, PathBuf};

use super::{Interpreter, PythonError, PythonRequest, Tried, registered};
use crate::host::Host;
use crate::machine::windows::registry::{self, Registry};
use crate::variables;

impl Interpreter {
    /// The interpreter that is asked for, or else the first `python3` or `python` on PATH that runs; on Windows then the
    /// first that is registered.
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
        let windows = cfg!(windows);
        let mut candidates = on_path(host, &names(request), windows);
        if windows && !matches!(request, Some(PythonRequest::Program(_))) {
            candidates.extend(beside_path(host, registry::of(host).as_ref()));
        }
        let mut tried: Vec<Tried> = Vec::new();
        for candidate in candidates {
            let path = match candidate {
                Candidate::Program(path) => path,
                Candidate::Shop(path) => {
                    let why = "it is the Microsoft Store's alias, with no Python behind it".to_owned();
                    tried.push(Tried { path, why });
                    continue;
                }
            };
            if tried.iter().any(|tried| tried.path == path) {
                continue;
            }
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

/// A file that may be the interpreter.
enum Candidate {
    Program(PathBuf),
    /// The Microsoft Store's alias, which leads into its shop.
    Shop(PathBuf),
}

/// The files on PATH with these names, in PATH's order, each folder once.
fn on_path(host: &Host, names: &[String], windows: bool) -> Vec<Candidate> {
    let mut seen = Vec::new();
    let mut found = Vec::new();
    for folder in host.search_path().into_iter().filter(|folder| folder.is_absolute()) {
        // `/bin` is `/usr/bin` on most systems.
        let Ok(resolved) = fs_err::canonicalize(&folder) else { continue };
        if seen.contains(&resolved) {
            continue;
        }
        seen.push(resolved);
        let is_aliases = windows && folder.file_name().is_some_and(|name| name.eq_ignore_ascii_case("WindowsApps"));
        let of_store = if is_aliases { registered::of_store(&folder) } else { Vec::new() };
        let is_shop = is_aliases && of_store.is_empty();
        found.extend(of_store.into_iter().map(Candidate::Program));
        for name in names {
            let path = folder.join(if windows { format!("{name}.exe") } else { name.clone() });
            if is_program(&path) {
                found.push(Candidate::Program(path));
            } else if is_shop && fs_err::symlink_metadata(&path).is_ok() {
                found.push(Candidate::Shop(path));
            }
        }
    }
    found
}

/// What Windows knows beside PATH: the registered Pythons, and the Store's where its folder is not on PATH.
fn beside_path(host: &Host, registry: &dyn Registry) -> Vec<Candidate> {
    let aliases = host.variable(variables::LOCALAPPDATA).map(|folder| Path::new(folder).join(r"Microsoft\WindowsApps"));
    let of_store = aliases.map(|folder| registered::of_store(&folder)).unwrap_or_default();
    registered::registered(registry).into_iter().chain(of_store).map(Candidate::Program).collect()
}

/// Whether this is a file that could run; an alias of the Microsoft Store is an empty one.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(root: &Path, files: &[(&str, &str)]) -> PathBuf {
        for (path, text) in files {
            let path = root.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(&path, text).unwrap();
            #[cfg(unix)]
            fs_err::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        root.to_owned()
    }

    fn found(path: &[PathBuf]) -> Vec<(bool, String)> {
        let path = std::env::join_paths(path).unwrap();
        let host = Host::with(Path::new("/x"), Path::new("/x"), &[("PATH", path.to_str().unwrap())]);
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let shown = |candidate| match candidate {
            Candidate::Program(path) => (true, name(path)),
            Candidate::Shop(path) => (false, name(path)),
        };
        on_path(&host, &names(None), true).into_iter().map(shown).collect()
    }

    #[test]
    fn the_stores_alias_is_a_python_only_where_one_is_installed() {
        let root = tempfile::tempdir().unwrap();
        let aliases = folder(&root.path().join("windowsapps"), &[("python.exe", ""), ("python3.exe", "")]);
        let real = folder(&root.path().join("Python312"), &[("python.exe", "MZ")]);
        assert_eq!(
            found(&[aliases.clone(), real.clone()]),
            [(false, "python3.exe".into()), (false, "python.exe".into()), (true, "python.exe".into())]
        );
        folder(&aliases, &[("PythonSoftwareFoundation.Python.3.12_qbz5n2kfra8p0/python.exe", "")]);
        assert_eq!(found(&[aliases, real]).len(), 2, "the Store's Python, then the other");
    }

    #[test]
    fn an_empty_file_elsewhere_is_nothing() {
        let root = tempfile::tempdir().unwrap();
        assert!(found(&[folder(root.path(), &[("python.exe", "")])]).is_empty());
    }
}
