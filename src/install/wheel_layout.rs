//! Where each file of a wheel goes.
//!
//! <https://packaging.python.org/en/latest/specifications/binary-distribution-format/>

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use super::Refusal;
use super::entry_points::{EntryPoint, parse_entry_points};
use super::launcher::{LauncherKind, launcher, launcher_name};
use super::scripts::{entry_point_script, entry_point_text, is_python_script, rewritten};
use crate::lock::LockedWheel;
use crate::venv::{Flavour, RecordEntry, Scheme, write_record};
use crate::vocab::{Sha256, Url, without_credentials};
use crate::wheel::UnpackedWheel;

/// What a wheel becomes in an environment.
#[derive(Debug, Clone, PartialEq)]
pub struct WheelLayout {
    /// Its files, by path; RECORD, rewritten, among them.
    pub files: Vec<TargetFile>,
    /// What the user should know of it.
    pub warnings: Vec<String>,
}

/// One file to be put into an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetFile {
    /// Its path relative to the environment, `/` between components.
    pub path: String,
    /// Where its bytes come from.
    pub content: Content,
    /// Whether it is executable.
    pub executable: bool,
    /// Its hash as RECORD writes it; empty for RECORD itself.
    pub hash: String,
}

/// Where the bytes of a file come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The file at this path in the unpacked wheel, which may be linked.
    Linked(String),
    /// The file at this path in the unpacked wheel, of which a copy is needed: its mode there is another.
    Copied(String),
    /// These bytes.
    Generated(Vec<u8>),
}

/// Lays a wheel out over the folders of an environment; only the wheel's own small files are read.
pub fn lay_out(wheel: &UnpackedWheel, locked: &LockedWheel, scheme: &Scheme) -> Result<WheelLayout, Refusal> {
    let about = WheelFile::read(wheel)?;
    let mut layout = Layout {
        scheme,
        site: relative(scheme, if about.is_purelib { &scheme.purelib } else { &scheme.platlib })?,
        scripts: relative(scheme, &scheme.scripts)?,
        files: BTreeMap::new(),
        warnings: about.warning.into_iter().collect(),
    };
    let data_folder = format!("{}.data/", wheel.dist_info.trim_end_matches(".dist-info"));
    let written = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json"];
    for file in &wheel.files {
        let ours = file.path.strip_prefix(&wheel.dist_info).and_then(|path| path.strip_prefix('/'));
        if ours.is_some_and(|name| written.contains(&name)) {
            continue;
        }
        let path = match file.path.strip_prefix(&data_folder) {
            Some(inside) => layout.data_path(inside, locked)?,
            None => format!("{}/{}", layout.site, file.path),
        };
        let is_script = file.path.strip_prefix(&data_folder).is_some_and(|inside| inside.starts_with("scripts/"));
        let rewritten = if is_script { rewritten_script(wheel, &file.path, scheme)? } else { None };
        let executable = file.executable || is_script;
        if let Some(script) = rewritten {
            layout.generate(path, script, true)?;
            continue;
        }
        let source = file.path.clone();
        let is_linked = executable == file.executable;
        let content = if is_linked { Content::Linked(source) } else { Content::Copied(source) };
        layout.add(Placed { path, content, executable, hash: file.record_hash.clone(), size: file.size })?;
    }
    layout.entry_points(wheel)?;
    let dist_info = format!("{}/{}", layout.site, wheel.dist_info);
    layout.generate(format!("{dist_info}/INSTALLER"), b"torchfix\n".to_vec(), false)?;
    if locked.requested {
        layout.generate(format!("{dist_info}/REQUESTED"), Vec::new(), false)?;
    }
    if locked.direct {
        layout.generate(format!("{dist_info}/direct_url.json"), direct_url(&locked.url, wheel.sha256), false)?;
    }
    Ok(layout.into_wheel_layout(&dist_info))
}

struct Layout<'a> {
    scheme: &'a Scheme,
    /// site-packages, relative to the environment.
    site: String,
    scripts: String,
    /// By their paths as the file system compares them.
    files: BTreeMap<String, Placed>,
    warnings: Vec<String>,
}

/// A file that has found its place.
struct Placed {
    path: String,
    content: Content,
    executable: bool,
    hash: String,
    size: u64,
}

impl Layout<'_> {
    /// Where a file of `.data` goes.
    fn data_path(&self, inside: &str, locked: &LockedWheel) -> Result<String, Refusal> {
        let unknown = || Refusal::UnknownScheme { path: inside.to_owned() };
        let (scheme, rest) = inside.split_once('/').ok_or_else(unknown)?;
        let folder = match scheme {
            "purelib" => relative(self.scheme, &self.scheme.purelib)?,
            "platlib" => relative(self.scheme, &self.scheme.platlib)?,
            "scripts" => self.scripts.clone(),
            "headers" => format!("{}/{}", relative(self.scheme, &self.scheme.headers)?, locked.name),
            "data" => return Ok(rest.to_owned()),
            _ => return Err(unknown()),
        };
        Ok(format!("{folder}/{rest}"))
    }

    fn entry_points(&mut self, wheel: &UnpackedWheel) -> Result<(), Refusal> {
        let path = format!("{}/entry_points.txt", wheel.dist_info);
        if !wheel.files.iter().any(|file| file.path == path) {
            return Ok(());
        }
        let text = read_text(wheel, &path)?;
        for entry_point in parse_entry_points(&text)? {
            let (name, program) = match self.scheme.flavour {
                Flavour::Posix => (entry_point.name.clone(), entry_point_script(&entry_point, &self.scheme.python())),
                Flavour::Windows => (launcher_name(&entry_point.name), launcher_of(&entry_point, self.scheme)?),
            };
            self.generate(format!("{}/{name}", self.scripts), program, true)?;
        }
        Ok(())
    }

    fn generate(&mut self, path: String, bytes: Vec<u8>, executable: bool) -> Result<(), Refusal> {
        let hash = format!("sha256={}", Sha256::of(&bytes).to_record());
        let size = bytes.len() as u64;
        self.add(Placed { path, content: Content::Generated(bytes), executable, hash, size })
    }

    fn add(&mut self, placed: Placed) -> Result<(), Refusal> {
        let path = placed.path.clone();
        if path.split('/').any(|component| matches!(component, "" | "." | "..")) {
            return Err(Refusal::Escapes { path });
        }
        if is_reserved(&path, &self.scripts) {
            return Err(Refusal::Reserved { path });
        }
        let folded = self.scheme.flavour.folded(&path);
        match self.files.get(&folded) {
            Some(before) if before.path != path => {
                let both = format!("`{}` and `{path}` are one file on Windows: the second is taken", before.path);
                self.warnings.push(both);
            }
            Some(before) if before.hash != placed.hash => {
                self.warnings.push(format!("`{path}` is brought twice, with different content"));
            }
            _ => {}
        }
        self.files.insert(folded, placed);
        Ok(())
    }

    /// Adds RECORD, with every file in it.
    fn into_wheel_layout(self, dist_info: &str) -> WheelLayout {
        let record = format!("{dist_info}/RECORD");
        let mut entries = Vec::with_capacity(self.files.len() + 1);
        let mut files = Vec::with_capacity(self.files.len() + 1);
        for Placed { path, content, executable, hash, size } in self.files.into_values() {
            entries.push(RecordEntry { path: record_path(&path, &self.site), hash: hash.clone(), size: Some(size) });
            files.push(TargetFile { path, content, executable, hash });
        }
        entries.push(RecordEntry { path: record_path(&record, &self.site), hash: String::new(), size: None });
        let content = Content::Generated(write_record(&entries).into_bytes());
        files.push(TargetFile { path: record, content, executable: false, hash: String::new() });
        WheelLayout { files, warnings: self.warnings }
    }
}

/// A path as RECORD writes it: relative to site-packages.
fn record_path(path: &str, site: &str) -> String {
    if is_below(path, site) {
        return path[site.len() + 1..].to_owned();
    }
    let mut ups = site.split('/').count();
    let mut rest = path;
    for component in site.split('/') {
        match rest.strip_prefix(component).and_then(|rest| rest.strip_prefix('/')) {
            Some(below) => (rest, ups) = (below, ups - 1),
            None => break,
        }
    }
    format!("{}{rest}", "../".repeat(ups))
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// What keeps an environment together: no distribution may bring it, in whatever case it is written.
pub(super) fn is_reserved(path: &str, scripts: &str) -> bool {
    let path = path.to_lowercase();
    if path == "pyvenv.cfg" || path == ".torchfix" || path.starts_with(".torchfix/") {
        return true;
    }
    let Some(name) = path.strip_prefix(&scripts.to_lowercase()).and_then(|name| name.strip_prefix('/')) else {
        return false;
    };
    // Windows runs each of these where `python` is typed, and the others before an `.exe`.
    let ends = [".exe", ".com", ".bat", ".cmd"];
    let name = ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let Some(version) = name.strip_prefix("python") else { return false };
    version
        .strip_prefix('w')
        .unwrap_or(version)
        .chars()
        .all(|character| character.is_ascii_digit() || ".t".contains(character))
}

fn relative(scheme: &Scheme, folder: &Path) -> Result<String, Refusal> {
    let inside = folder.strip_prefix(&scheme.root).ok().and_then(|path| {
        let components: Option<Vec<&str>> = path.components().map(|component| component.as_os_str().to_str()).collect();
        components.filter(|components| !components.is_empty())
    });
    inside.map(|components| components.join("/")).ok_or_else(|| Refusal::Escapes { path: folder.display().to_string() })
}

fn rewritten_script(wheel: &UnpackedWheel, path: &str, scheme: &Scheme) -> Result<Option<Vec<u8>>, Refusal> {
    let unreadable = |error: std::io::Error| Refusal::Unreadable { path: path.to_owned(), reason: error.to_string() };
    let mut file = fs_err::File::open(wheel.root.join(path)).map_err(unreadable)?;
    // Programs in `.data/scripts` can be large binaries: the rest is read only of what is rewritten.
    let mut start = Vec::new();
    file.by_ref().take(16).read_to_end(&mut start).map_err(unreadable)?;
    if !is_python_script(&start) {
        return Ok(None);
    }
    file.take(16 << 20).read_to_end(&mut start).map_err(unreadable)?;
    Ok(rewritten(&start, &scheme.python(), scheme.flavour))
}

/// The launcher of an entry point.
fn launcher_of(entry_point: &EntryPoint, scheme: &Scheme) -> Result<Vec<u8>, Refusal> {
    let python = if entry_point.graphical { scheme.windowed_python() } else { scheme.python() };
    let script = entry_point_text(entry_point, scheme.flavour);
    match python.to_str() {
        Some(python) => Ok(launcher(LauncherKind::of(entry_point), python, &script)),
        None => Err(Refusal::Launcher { name: entry_point.name.clone(), python }),
    }
}

/// `direct_url.json` (PEP 610), without credentials.
fn direct_url(url: &Url, sha256: Sha256) -> Vec<u8> {
    let mut url = without_credentials(url);
    url.set_fragment(None);
    let hash = sha256.to_string();
    let json = serde_json::json!({
        "archive_info": { "hash": format!("sha256={hash}"), "hashes": { "sha256": hash } },
        "url": url.as_str(),
    });
    json.to_string().into_bytes()
}

/// What matters of the WHEEL file.
struct WheelFile {
    is_purelib: bool,
    warning: Option<String>,
}

impl WheelFile {
    fn read(wheel: &UnpackedWheel) -> Result<Self, Refusal> {
        let path = format!("{}/WHEEL", wheel.dist_info);
        let text = read_text(wheel, &path)?;
        let field = |name: &str| {
            text.lines().take_while(|line| !line.trim().is_empty()).find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let missing = || Refusal::Unreadable { path: path.clone(), reason: "it has no `Wheel-Version`".to_owned() };
        let version = field("Wheel-Version").ok_or_else(missing)?;
        let numbers: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
        let warning = match numbers[..] {
            [1] | [1, 0, ..] => None,
            [1, ..] => Some(format!("`{}` has wheel format {version}, newer than 1.0", wheel.file_name)),
            _ => return Err(Refusal::WheelVersion { version }),
        };
        let is_purelib = field("Root-Is-Purelib").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        Ok(Self { is_purelib, warning })
    }
}

/// Reads a small text file of a wheel.
fn read_text(wheel: &UnpackedWheel, path: &str) -> Result<String, Refusal> {
    let unreadable = |reason: String| Refusal::Unreadable { path: path.to_owned(), reason };
    let file = fs_err::File::open(wheel.root.join(path)).map_err(|error| unreadable(error.to_string()))?;
    let mut text = String::new();
    file.take(4 << 20).read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
    Ok(text)
}

#[cfg(test)]
#[path = "wheel_layout_tests.rs"]
mod tests;
