//! What differs between the systems that the tests run on.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use torchfix::host::Host;

/// The name that Python has on `PATH`.
pub const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

/// Variables without which programs do not run; all else a test may clear away.
const NEEDED: &[&str] = if cfg!(windows) {
    &["PATH", "PATHEXT", "SystemRoot", "SystemDrive", "windir", "ComSpec", "TEMP", "TMP"]
} else {
    &["PATH"]
};

/// The needed variables, and `home` as the user's home.
pub fn variables(home: &Path) -> Vec<(&'static str, OsString)> {
    let host = Host::of_process().unwrap();
    let needed = NEEDED.iter().filter_map(|name| Some((*name, host.variable(name)?.to_owned())));
    let home = if cfg!(windows) {
        vec![("USERPROFILE", home.into()), ("LOCALAPPDATA", home.join("AppData").join("Local").into())]
    } else {
        vec![("HOME", home.into())]
    };
    needed.chain(home).collect()
}

/// The root of the file system that holds the working directory.
pub fn root() -> PathBuf {
    Host::of_process().unwrap().working_directory().ancestors().last().unwrap().to_owned()
}

/// A program's file in the folder that an environment has for programs.
pub fn program_in(scripts: &Path, name: &str) -> PathBuf {
    scripts.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// The name of the folder that an environment has for programs.
pub fn scripts() -> &'static str {
    if cfg!(windows) { "Scripts" } else { "bin" }
}

/// A program of an environment.
pub fn program(venv: &Path, name: &str) -> PathBuf {
    program_in(&venv.join(scripts()), name)
}

/// The folder of an environment that holds what is imported.
pub fn site_packages(venv: &Path) -> PathBuf {
    if cfg!(windows) {
        return venv.join("Lib").join("site-packages");
    }
    let mut versions = fs_err::read_dir(venv.join("lib")).unwrap();
    versions.next().unwrap().unwrap().path().join("site-packages")
}

/// A path as trees and expectations spell it.
pub fn spelled(path: &Path) -> String {
    let text = path.to_str().unwrap();
    if cfg!(windows) { text.replace('\\', "/") } else { text.to_owned() }
}

/// What a program printed, its lines ended by `\n` alone.
pub fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    if cfg!(windows) { text.replace("\r\n", "\n") } else { text }
}

/// pip by the Python on `PATH`, which the rig for Windows has beside it.
#[allow(clippy::disallowed_methods, reason = "a setting of the tests")]
pub fn pip() -> Command {
    let mut command = Command::new(PYTHON);
    let downloads = std::env::var_os("WINDOWS_RIG").map(|rig| Path::new(&rig).join("downloads"));
    let files = downloads.and_then(|folder| fs_err::read_dir(folder).ok()).into_iter().flatten().flatten();
    let mut wheels = files.map(|file| file.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("pip-") && name.ends_with(".whl")
    });
    match wheels.next() {
        Some(wheel) => command.arg(wheel.join("pip")),
        None => command.args(["-m", "pip"]),
    };
    command
}
