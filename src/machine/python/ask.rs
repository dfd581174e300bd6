//! Asking an interpreter what it is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use super::cache::{self, Fingerprint};
use super::{Interpreter, PythonError};
use crate::host::Host;
use crate::machine::child;

/// What is asked.
const PROBE: &str = include_str!("probe.py");
/// Long enough for an interpreter on a slow network drive.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the probe answers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reply {
    Interpreter(Box<Interpreter>),
    Unsupported { unsupported: String },
}

impl Interpreter {
    /// Asks the interpreter at `path` (a file, or the folder of a venv or an installation) what it is, or recalls it.
    ///
    /// Nothing of the environment is executed: the interpreter is isolated (`-I`) and does not import `site` (`-S`).
    pub fn ask(host: &Host, path: &Path, cache_dir: &Path) -> Result<Self, PythonError> {
        let path = file(&host.absolute(path))?;
        let Some(fingerprint) = Fingerprint::of(&path) else {
            // An alias of the Microsoft Store runs, but cannot be opened.
            let is_alias = cfg!(windows) && fs_err::symlink_metadata(&path).is_ok();
            return if is_alias { run(host, &path) } else { Err(PythonError::NoSuchFile { path }) };
        };
        if let Some(interpreter) = cache::recall(cache_dir, &fingerprint) {
            return Ok(interpreter);
        }
        let interpreter = run(host, &path)?;
        if fingerprint.is_of(&interpreter) {
            // A cache that cannot be written costs the next run 20 ms; that is no reason to fail.
            let _ = cache::remember(cache_dir, fingerprint, &interpreter);
        }
        Ok(interpreter)
    }
}

/// The interpreter in a folder that is named for one.
fn file(path: &Path) -> Result<PathBuf, PythonError> {
    if !path.is_dir() {
        return if path.exists() {
            Ok(path.to_owned())
        } else {
            Err(PythonError::NoSuchFile { path: path.to_owned() })
        };
    }
    let inside = if cfg!(windows) {
        [r"Scripts\python.exe", "python.exe"].as_slice()
    } else {
        ["bin/python", "bin/python3"].as_slice()
    };
    let found = inside.iter().map(|name| path.join(name)).find(|file| file.exists());
    found.ok_or_else(|| PythonError::NoSuchFile { path: path.to_owned() })
}

fn run(host: &Host, path: &Path) -> Result<Interpreter, PythonError> {
    let failed = |reason: String| PythonError::DoesNotRun { path: path.to_owned(), reason };
    let mut command = Command::new(path);
    command.args(["-I", "-S", "-c", PROBE]);
    // macOS's launcher passes itself on through this, and the child would take the parent's venv for its own.
    command.env_clear().envs(host.variables()).env_remove("__PYVENV_LAUNCHER__");
    let answer = child::answer(command, PATIENCE).map_err(|error| failed(error.to_string()))?;
    if !answer.status.success() {
        let said = last_line(&answer.stderr).or_else(|| last_line(&answer.stdout));
        return Err(failed(
            said.map_or_else(|| answer.status.to_string(), |said| format!("{} ({said})", answer.status)),
        ));
    }
    let line = last_line(&answer.stdout).ok_or_else(|| failed("it says nothing".to_owned()))?;
    match serde_json::from_str(line) {
        Ok(Reply::Interpreter(interpreter)) => Ok(*interpreter),
        Ok(Reply::Unsupported { unsupported }) => {
            let version = unsupported.chars().take(20).collect();
            Err(PythonError::Unsupported { path: path.to_owned(), version })
        }
        Err(_) => Err(failed(format!("it answers `{}`", line.chars().take(80).collect::<String>()))),
    }
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}
