//! What interpreters said before, one small file each.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::Interpreter;
use crate::vocab::Sha256;

/// Everything an interpreter's answer hangs on that can change without its path changing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The version of torchfix, which may ask something else.
    torchfix: String,
    /// Where it was asked for.
    path: PathBuf,
    /// The file in the end, symbolic links followed.
    resolved: PathBuf,
    executable: Stamp,
    /// `pyvenv.cfg`, where it would lie.
    venv: [Option<Stamp>; 2],
    /// The kernel: markers carry its release, and a restored disk image may lie on another one.
    kernel: String,
}

/// When a file was written, and its size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    nanoseconds: u128,
    size: u64,
}

/// A file of the cache.
#[derive(Serialize, Deserialize)]
struct Entry {
    fingerprint: Fingerprint,
    interpreter: Interpreter,
}

impl Fingerprint {
    /// That of the interpreter at `path`; `None` when there is no file to take it of.
    pub fn of(path: &Path) -> Option<Self> {
        let folder = path.parent()?;
        let beside = |folder: &Path| stamp(&folder.join("pyvenv.cfg"));
        Some(Self {
            torchfix: env!("CARGO_PKG_VERSION").to_owned(),
            path: path.to_owned(),
            resolved: fs_err::canonicalize(path).ok()?,
            executable: stamp(path)?,
            venv: [beside(folder), folder.parent().and_then(beside)],
            kernel: kernel(),
        })
    }

    /// Whether the interpreter that answered is the file itself, not what a script such as pyenv's chose this time.
    pub fn is_of(&self, interpreter: &Interpreter) -> bool {
        fs_err::canonicalize(&interpreter.executable).is_ok_and(|resolved| resolved == self.resolved)
    }
}

/// What the interpreter said last time, if nothing has changed since; a damaged entry is none.
pub fn recall(cache: &Path, fingerprint: &Fingerprint) -> Option<Interpreter> {
    let text = fs_err::read(file(cache, &fingerprint.path)).ok()?;
    let entry: Entry = serde_json::from_slice(&text).ok()?;
    (entry.fingerprint == *fingerprint).then_some(entry.interpreter)
}

/// Keeps what an interpreter said.
pub fn remember(cache: &Path, fingerprint: Fingerprint, interpreter: &Interpreter) -> std::io::Result<()> {
    let path = file(cache, &fingerprint.path);
    let folder = path.parent().unwrap_or(cache);
    fs_err::create_dir_all(folder)?;
    let mut staged = tempfile::NamedTempFile::new_in(folder)?;
    staged.write_all(&serde_json::to_vec(&Entry { fingerprint, interpreter: interpreter.clone() })?)?;
    staged.persist(path)?;
    Ok(())
}

fn file(cache: &Path, interpreter: &Path) -> PathBuf {
    let name = Sha256::of(interpreter.as_os_str().as_encoded_bytes());
    cache.join("interpreters").join(format!("{name}.json"))
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs_err::metadata(path).ok()?;
    let nanoseconds = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    Some(Stamp { nanoseconds, size: metadata.len() })
}

#[cfg(unix)]
fn kernel() -> String {
    let uname = rustix::system::uname();
    format!("{} {}", uname.release().to_string_lossy(), uname.machine().to_string_lossy())
}

#[cfg(not(unix))]
fn kernel() -> String {
    String::new()
}
