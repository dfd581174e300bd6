//! Pythons that Windows knows of beside those on PATH: installers register theirs, and the Microsoft Store has its own.
//!
//! <https://peps.python.org/pep-0514/>

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use crate::machine::windows::registry::Registry;

/// Where the installers of python.org register, the user's own first; the last is where 32-bit ones do for all users.
const PLACES: [&str; 3] = [
    r"HKCU\Software\Python\PythonCore",
    r"HKLM\SOFTWARE\Python\PythonCore",
    r"HKLM\SOFTWARE\WOW6432Node\Python\PythonCore",
];
/// What the folder of a Python from the Store is called: its name, and at the end its publisher's.
const STORE: (&str, &str) = ("pythonsoftwarefoundation.python.3.", "_qbz5n2kfra8p0");

/// The registered Pythons: 64-bit before 32-bit ones, newest first, the user's own before everyone's.
pub fn registered(registry: &dyn Registry) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (place, path) in PLACES.iter().enumerate() {
        for tag in registry.keys(path).unwrap_or_default() {
            let key = format!(r"{path}\{tag}");
            let Some(program) = program(registry, &format!(r"{key}\InstallPath")) else { continue };
            let short = place == 2
                || tag.ends_with("-32")
                || registry.text(&key, "SysArchitecture").as_deref() == Some("32bit");
            let own_build = tag.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').starts_with('t');
            found.push(((short, Reverse(numbers(&tag)), own_build, place), program));
        }
    }
    found.sort();
    found.into_iter().map(|(_, program)| program).collect()
}

fn program(registry: &dyn Registry, install_path: &str) -> Option<PathBuf> {
    let stated = registry.text(install_path, "ExecutablePath").map(PathBuf::from);
    stated.or_else(|| registry.text(install_path, "").map(|folder| Path::new(&folder).join("python.exe")))
}

/// `[3, 12]` of `3.12-32`.
fn numbers(tag: &str) -> Vec<u32> {
    let version = tag.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    version.split('.').map_while(|number| number.parse().ok()).collect()
}

/// The Pythons from the Store in the folder of its aliases (`WindowsApps`), newest first.
///
/// `python.exe` in that folder itself is an alias as well, but may lead to the Store instead of a Python. An alias is an
/// empty file that runs.
pub fn of_store(aliases: &Path) -> Vec<PathBuf> {
    let Ok(packages) = fs_err::read_dir(aliases) else { return Vec::new() };
    let mut found: Vec<(Reverse<u32>, PathBuf)> = packages
        .filter_map(Result::ok)
        .filter_map(|package| {
            let name = package.file_name().to_string_lossy().to_ascii_lowercase();
            let minor = name.strip_prefix(STORE.0)?.strip_suffix(STORE.1)?.parse().ok()?;
            let program = package.path().join("python.exe");
            // What an alias leads to cannot be opened, only run.
            fs_err::symlink_metadata(&program).ok().map(|_| (Reverse(minor), program))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, program)| program).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::windows::registry::MadeUpRegistry;

    #[test]
    fn registered_pythons_come_newest_first_and_32_bit_ones_last() {
        let mut registry = MadeUpRegistry::default();
        let mut add = |place: usize, tag: &str, name: &str, value: &str| {
            registry.add_text(&format!(r"{}\{tag}\InstallPath", PLACES[place]), name, value);
        };
        add(0, "3.9", "ExecutablePath", r"C:\Users\me\3.9\python.exe");
        add(0, "3.13t", "ExecutablePath", r"C:\Users\me\3.13\python3.13t.exe");
        add(1, "3.13", "ExecutablePath", r"C:\Python313\python.exe");
        add(1, "3.9", "ExecutablePath", r"C:\Python39\python.exe");
        add(2, "3.14-32", "ExecutablePath", r"C:\Python314-32\python.exe");
        add(1, "3.12", "Other", "nothing that runs");
        registry.add_text(&format!(r"{}\3.8", PLACES[1]), "SysArchitecture", "32bit");
        registry.add_text(&format!(r"{}\3.8\InstallPath", PLACES[1]), "ExecutablePath", r"C:\Python38\python.exe");
        let found: Vec<String> = registered(&registry).iter().map(|path| path.display().to_string()).collect();
        assert_eq!(
            found,
            [
                r"C:\Python313\python.exe",
                r"C:\Users\me\3.13\python3.13t.exe",
                r"C:\Users\me\3.9\python.exe",
                r"C:\Python39\python.exe",
                r"C:\Python314-32\python.exe",
                r"C:\Python38\python.exe",
            ]
        );
        assert!(registered(&MadeUpRegistry::default()).is_empty());
    }

    #[test]
    fn without_a_program_the_folder_has_python_exe() {
        let mut registry = MadeUpRegistry::default();
        registry.add_text(&format!(r"{}\3.7\InstallPath", PLACES[0]), "", "/old");
        assert_eq!(registered(&registry), [Path::new("/old/python.exe")]);
    }

    #[test]
    fn the_stores_pythons_are_aliases_in_folders_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "PythonSoftwareFoundation.Python.3.9_qbz5n2kfra8p0",
            "PythonSoftwareFoundation.Python.3.12_qbz5n2kfra8p0",
            "PythonSoftwareFoundation.Python.3.13_someoneelse",
            "PythonSoftwareFoundation.PythonManager_qbz5n2kfra8p0",
        ] {
            fs_err::create_dir(folder.path().join(name)).unwrap();
            fs_err::write(folder.path().join(name).join("python.exe"), "").unwrap();
        }
        fs_err::write(folder.path().join("python.exe"), "").unwrap();
        let found = of_store(folder.path());
        let folders: Vec<_> = found.iter().map(|path| path.parent().unwrap().file_name().unwrap()).collect();
        assert_eq!(
            folders,
            ["PythonSoftwareFoundation.Python.3.12_qbz5n2kfra8p0", "PythonSoftwareFoundation.Python.3.9_qbz5n2kfra8p0"]
        );
        assert!(of_store(Path::new("/nowhere")).is_empty());
    }
}
