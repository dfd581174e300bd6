//! Which files go with the distributions that go.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::InstallError;
use super::wheel_layout::is_reserved;
use crate::host::resolve_links;
use crate::venv::{Flavour, InstalledDistribution, MetadataFormat, Scheme};

/// What goes: paths relative to the environment, folders that are emptied as a whole in place of what is in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removal {
    /// Files, links and whole folders, none below another, by their paths as the file system compares them.
    pub paths: BTreeMap<String, String>,
    /// How it compares them.
    pub flavour: Flavour,
    /// What a RECORD lists and is left, and why.
    pub warnings: Vec<String>,
}

impl Removal {
    /// Lets `path` go too.
    pub fn add(&mut self, path: String) {
        self.paths.insert(self.flavour.folded(&path), path);
    }

    /// Whether `path` goes, by itself or with a folder above it.
    pub fn takes(&self, path: &str) -> bool {
        let path = self.flavour.folded(path);
        self.paths.contains_key(&path) || path.match_indices('/').any(|(end, _)| self.paths.contains_key(&path[..end]))
    }
}

/// Finds what goes with `removed`, while what `staying` lists too is left, and with them the files `added` later.
///
/// A RECORD is no authority over what lies outside the environment, nor over what keeps the environment together.
pub fn removal(
    scheme: &Scheme,
    removed: &[&InstalledDistribution],
    staying: &[&InstalledDistribution],
    added: &[String],
) -> Result<Removal, InstallError> {
    let mut warnings = Vec::new();
    if removed.is_empty() && added.is_empty() {
        return Ok(Removal::default());
    }
    let mut places = Places { scheme, folders: BTreeMap::new() };
    let mut listed = BTreeMap::new();
    for distribution in removed {
        let files = distribution.files()?;
        for entry in &files {
            match places.inside(distribution.site_packages(), &entry.path)? {
                Ok(path) => drop(listed.insert(scheme.flavour.folded(&path), path)),
                Err(reason) => {
                    warnings.push(format!("{} lists `{}`, {reason}: left alone", distribution.title(), entry.path));
                }
            }
        }
    }
    listed.extend(added.iter().map(|path| (scheme.flavour.folded(path), path.clone())));
    for distribution in staying.iter().filter(|staying| staying.format == MetadataFormat::DistInfo) {
        // Who lists nothing that can be read claims nothing.
        for entry in distribution.files().unwrap_or_default() {
            if let Ok(path) = places.inside(distribution.site_packages(), &entry.path)? {
                listed.remove(&scheme.flavour.folded(&path));
            }
        }
    }
    let going = Emptied::find(scheme, listed.into_values())?;
    let paths = going.into_iter().map(|path| (scheme.flavour.folded(&path), path)).collect();
    Ok(Removal { paths, flavour: scheme.flavour, warnings })
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
        // pip writes slashes on Windows too; others wrote what that system has.
        let listed = match self.scheme.flavour {
            Flavour::Posix => listed.to_owned(),
            Flavour::Windows => listed.replace('\\', "/"),
        };
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
        let resolved = match resolve_links(folder) {
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
    fn find(scheme: &'a Scheme, listed: impl IntoIterator<Item = String>) -> Result<BTreeSet<String>, InstallError> {
        // Names are folded here, folders are as they are called on disk.
        let mut by_folder: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for path in listed {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
            by_folder.entry(folder.to_owned()).or_default().insert(scheme.flavour.folded(name));
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
            if names.contains(&self.scheme.flavour.folded(name)) && !is_folder {
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
            let folded = |path: &str| self.scheme.flavour.folded(path);
            let is_stale = module.is_some_and(|module| modules.contains(&folded(&format!("{module}.py"))));
            if !is_folder && (is_stale || compiled.contains(&format!("{cache}/{}", folded(name)))) {
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

    /// Whether a folder, or one in it, is there from the beginning of the environment on.
    fn is_protected(&self, folder: &str) -> bool {
        let Scheme { root, purelib, platlib, scripts, flavour, .. } = self.scheme;
        // On Windows it is made empty, and what wheels bring lies two folders below.
        let headers = (*flavour == Flavour::Windows).then(|| root.join("Include"));
        let path = flavour.folded(folder);
        let is_within = |kept: &Path| {
            kept.strip_prefix(root).is_ok_and(|kept| {
                let kept = flavour.folded(&kept.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/"));
                kept.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        path.is_empty() || [purelib, platlib, scripts].into_iter().chain(&headers).any(|kept| is_within(kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venv::list;

    /// An environment of that kind with these files, a RECORD among them.
    fn environment(flavour: Flavour, files: &[&str], record: &str) -> (tempfile::TempDir, Scheme) {
        let folder = tempfile::tempdir().unwrap();
        let root = resolve_links(folder.path()).unwrap();
        let site = root.join("Lib/site-packages");
        for file in files {
            let path = root.join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
        fs_err::create_dir_all(site.join("tool-1.dist-info")).unwrap();
        fs_err::write(site.join("tool-1.dist-info/METADATA"), "Name: tool\nVersion: 1\n").unwrap();
        fs_err::write(site.join("tool-1.dist-info/RECORD"), record).unwrap();
        let scheme = Scheme { flavour, ..Scheme::on_windows(&root, "3.12") };
        (folder, scheme)
    }

    fn removed(scheme: &Scheme) -> (Vec<String>, Vec<String>, Removal) {
        let installed = list(scheme).unwrap().distributions;
        let removal = removal(scheme, &installed.iter().collect::<Vec<_>>(), &[], &[]).unwrap();
        (removal.paths.values().cloned().collect(), removal.warnings.clone(), removal)
    }

    #[test]
    fn what_pip_installed_on_windows_goes_however_its_record_spells_it() {
        let files = [
            "Scripts/python.exe",
            "Scripts/Tool.exe",
            "Scripts/other.exe",
            "Lib/site-packages/Tool.py",
            "Lib/site-packages/__pycache__/Tool.cpython-312.pyc",
            "Lib/site-packages/data/x.txt",
        ];
        let record = "..\\..\\Scripts\\tool.EXE,sha256=x,1\r\n../../SCRIPTS/python.exe,,\r\ntool.py,,\r\n\
            data\\X.txt,,\r\ntool-1.dist-info/METADATA,,\r\ntool-1.dist-info\\RECORD,,\r\n..\\..\\..\\outside.txt,,\r\n";
        let (_folder, scheme) = environment(Flavour::Windows, &files, record);
        let (paths, warnings, removal) = removed(&scheme);
        assert_eq!(
            paths,
            [
                "Lib/site-packages/data",
                "Lib/site-packages/tool-1.dist-info",
                "Lib/site-packages/Tool.py",
                "Lib/site-packages/__pycache__",
                "Scripts/Tool.exe",
            ]
        );
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(removal.takes("Scripts/tool.exe") && removal.takes("Lib/Site-Packages/DATA/y"));
        assert!(!removal.takes("Scripts/other.exe"));
    }

    #[test]
    fn the_folders_that_an_environment_is_made_with_stay_when_they_are_empty() {
        let files = ["Include/site/python3.12/tool/tool.h", "Lib/site-packages/tool.py"];
        let record = "../../Include/site/python3.12/tool/tool.h,,\ntool.py,,\n\
            tool-1.dist-info/METADATA,,\ntool-1.dist-info/RECORD,,\n";
        let (_folder, scheme) = environment(Flavour::Windows, &files, record);
        let expected = ["Include/site", "Lib/site-packages/tool-1.dist-info", "Lib/site-packages/tool.py"];
        assert_eq!(removed(&scheme).0, expected);
    }

    #[test]
    fn what_another_distribution_lists_in_another_case_stays_on_windows() {
        let files = ["Scripts/shared.exe", "Lib/site-packages/other-1.dist-info/METADATA"];
        let (_folder, scheme) = environment(Flavour::Windows, &files, "../../Scripts/Shared.exe,,\n");
        let other = scheme.purelib.join("other-1.dist-info/RECORD");
        fs_err::write(other, "..\\..\\Scripts\\shared.exe,,\n").unwrap();
        let installed = list(&scheme).unwrap().distributions;
        let (staying, removed) = (&installed[0], &installed[1]);
        assert_eq!((staying.title(), removed.title()), ("other 1".to_owned(), "tool 1".to_owned()));
        let removal = removal(&scheme, &[removed], &[staying], &[]).unwrap();
        assert_eq!(removal.paths.len(), 0, "{removal:?}");
    }

    #[cfg(unix)]
    #[test]
    fn elsewhere_names_are_taken_as_they_are() {
        let (_folder, scheme) =
            environment(Flavour::Posix, &["Scripts/Tool", "Scripts/tool"], "../../Scripts/tool,,\n");
        assert_eq!(removed(&scheme).0, ["Scripts/tool"]);
    }
}
