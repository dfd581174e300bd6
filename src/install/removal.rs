//! Which files go with the distributions that go.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::InstallError;
use super::wheel_layout::is_reserved;
use crate::venv::{InstalledDistribution, MetadataFormat, Scheme};

/// What goes: paths relative to the environment, folders that are emptied as a whole in place of what is in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removal {
    /// Files, links and whole folders, none below another.
    pub paths: BTreeSet<String>,
    /// What a RECORD lists and is left, and why.
    pub warnings: Vec<String>,
}

impl Removal {
    /// Whether `path` goes, by itself or with a folder above it.
    pub fn takes(&self, path: &str) -> bool {
        self.paths.contains(path) || path.match_indices('/').any(|(end, _)| self.paths.contains(&path[..end]))
    }
}

/// Finds what goes with `removed`, while what `staying` lists too is left.
///
/// A RECORD is no authority over what lies outside the environment, nor over what keeps the environment together.
pub fn removal(
    scheme: &Scheme,
    removed: &[&InstalledDistribution],
    staying: &[&InstalledDistribution],
) -> Result<Removal, InstallError> {
    let mut warnings = Vec::new();
    if removed.is_empty() {
        return Ok(Removal::default());
    }
    let mut places = Places { scheme, folders: BTreeMap::new() };
    let mut listed = BTreeSet::new();
    for distribution in removed {
        let files = distribution.files()?;
        for entry in &files {
            match places.inside(distribution.site_packages(), &entry.path)? {
                Ok(path) => drop(listed.insert(path)),
                Err(reason) => {
                    warnings.push(format!("{} lists `{}`, {reason}: left alone", distribution.title(), entry.path));
                }
            }
        }
    }
    for distribution in staying.iter().filter(|staying| staying.format == MetadataFormat::DistInfo) {
        // Who lists nothing that can be read claims nothing.
        for entry in distribution.files().unwrap_or_default() {
            if let Ok(path) = places.inside(distribution.site_packages(), &entry.path)? {
                listed.remove(&path);
            }
        }
    }
    let paths = Emptied::find(scheme, &listed)?;
    Ok(Removal { paths, warnings })
}

/// Resolves paths of RECORDs, each folder's links once.
struct Places<'a> {
    scheme: &'a Scheme,
    /// A folder, its links not resolved, to its place in the environment; `None` where it is not there or not inside.
    folders: BTreeMap<PathBuf, Option<String>>,
}

impl Places<'_> {
    /// The place of a listed file relative to the environment, or why it is none.
    fn inside(&mut self, site: &Path, listed: &str) -> Result<Result<String, &'static str>, InstallError> {
        const OUTSIDE: &str = "which is outside the environment";
        let Some(path) = lexically_normal(&site.join(listed)) else { return Ok(Err(OUTSIDE)) };
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Err(OUTSIDE)) };
        let Some(name) = name.to_str() else { return Ok(Err("which has no readable name")) };
        if !self.folders.contains_key(folder) {
            let place = self.place(folder)?;
            self.folders.insert(folder.to_owned(), place);
        }
        let path = match &self.folders[folder] {
            None => return Ok(Err(OUTSIDE)),
            Some(folder) if folder.is_empty() => name.to_owned(),
            Some(folder) => format!("{folder}/{name}"),
        };
        let scripts = self.scheme.scripts.strip_prefix(&self.scheme.root).unwrap_or(Path::new("")).to_string_lossy();
        if is_reserved(&path, &scripts) {
            return Ok(Err("which belongs to the environment itself"));
        }
        Ok(Ok(path))
    }

    fn place(&self, folder: &Path) -> io::Result<Option<String>> {
        let resolved = match fs_err::canonicalize(folder) {
            Ok(resolved) => resolved,
            // What is not there needs no removing; its path alone decides whether that is worth a word.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                folder.to_owned()
            }
            Err(error) => return Err(error),
        };
        let inside = resolved.strip_prefix(&self.scheme.root).ok();
        Ok(inside.and_then(|inside| {
            let components: Option<Vec<_>> = inside.components().map(|part| part.as_os_str().to_str()).collect();
            Some(components?.join("/"))
        }))
    }
}

/// An absolute path without `.` and `..`; `None` where `..` leads above the root.
fn lexically_normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop().then_some(())?),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => normal.push(component),
        }
    }
    Some(normal)
}

/// Looks at the folders that lose files, deepest first.
struct Emptied<'a> {
    scheme: &'a Scheme,
    /// What is on disk and goes.
    going: BTreeSet<String>,
}

impl<'a> Emptied<'a> {
    fn find(scheme: &'a Scheme, listed: &BTreeSet<String>) -> Result<BTreeSet<String>, InstallError> {
        let mut by_folder: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for path in listed {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            by_folder.entry(folder.to_owned()).or_default().insert(name.to_owned());
            let mut below = folder;
            while let Some((above, _)) = below.rsplit_once('/') {
                by_folder.entry(above.to_owned()).or_default();
                below = above;
            }
        }
        let mut folders: Vec<(String, BTreeSet<String>)> = by_folder.into_iter().collect();
        // A folder's __pycache__ is looked at with it, and what is below before what is above.
        folders.sort_by_key(|(folder, _)| std::cmp::Reverse(folder.split('/').count()));
        let mut emptied = Self { scheme, going: BTreeSet::new() };
        let mut compiled: BTreeSet<String> = BTreeSet::new();
        for (folder, names) in &folders {
            if folder.rsplit('/').next() == Some("__pycache__") {
                compiled.extend(names.iter().map(|name| format!("{folder}/{name}")));
            }
        }
        for (folder, names) in &folders {
            if folder.rsplit('/').next() != Some("__pycache__") {
                emptied.look(folder, names, &compiled)?;
            }
        }
        let going = emptied.going;
        let is_top = |path: &&String| !path.match_indices('/').any(|(end, _)| going.contains(&path[..end]));
        Ok(going.iter().filter(is_top).cloned().collect())
    }

    /// Notes what of a folder goes, and the folder itself where nothing is left in it.
    fn look(
        &mut self,
        folder: &str,
        names: &BTreeSet<String>,
        compiled: &BTreeSet<String>,
    ) -> Result<(), InstallError> {
        let Some(present) = self.children(folder)? else { return Ok(()) };
        let below = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        if present.contains_key("__pycache__") {
            self.look_at_compiled(&below("__pycache__"), names, compiled)?;
        }
        let mut left = 0;
        for (name, is_folder) in &present {
            let path = below(name);
            // RECORD lists files: a folder there is a mistake or worse.
            if names.contains(name) && !is_folder {
                self.going.insert(path);
            } else if !self.going.contains(&path) {
                left += 1;
            }
        }
        if left == 0 && !present.is_empty() && !self.is_protected(folder) {
            self.going.insert(folder.to_owned());
        }
        Ok(())
    }

    /// What Python compiled of modules that go is of no use, whether a RECORD lists it or not.
    fn look_at_compiled(
        &mut self,
        cache: &str,
        modules: &BTreeSet<String>,
        compiled: &BTreeSet<String>,
    ) -> Result<(), InstallError> {
        let Some(present) = self.children(cache)? else { return Ok(()) };
        let mut left = 0;
        for (name, is_folder) in &present {
            let path = format!("{cache}/{name}");
            // `module.cpython-312.pyc`, `module.cpython-312.opt-1.pyc`
            let module = name.strip_suffix(".pyc").and_then(|stem| stem.split_once('.')).map(|(stem, _)| stem);
            let is_stale = module.is_some_and(|module| modules.contains(&format!("{module}.py")));
            if !is_folder && (is_stale || compiled.contains(&path)) {
                self.going.insert(path);
            } else {
                left += 1;
            }
        }
        if left == 0 {
            self.going.insert(cache.to_owned());
        }
        Ok(())
    }

    /// The names in a folder, and which of them are folders; `None` where it is none itself.
    fn children(&self, folder: &str) -> Result<Option<BTreeMap<String, bool>>, InstallError> {
        let path = self.scheme.root.join(folder);
        let entries = match fs_err::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        // A name that is not Unicode stands in no RECORD: any spelling keeps its folder.
        let named = |entry: io::Result<fs_err::DirEntry>| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), entry.file_type()?.is_dir()))
        };
        Ok(Some(entries.map(named).collect::<io::Result<_>>()?))
    }

    fn is_protected(&self, folder: &str) -> bool {
        let path = self.scheme.root.join(folder);
        let scheme = self.scheme;
        [&scheme.purelib, &scheme.platlib, &scheme.scripts, &scheme.root].iter().any(|kept| kept.starts_with(&path))
    }
}
