//! What torchfix adds to an environment so that torch's libraries load, and the list of it.
//!
//! The list lies in the environment's `.torchfix` folder, not in the RECORD of the distribution it is for: who verifies
//! that one finds what its wheel brought. What is added works without torchfix, and goes with torch.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use super::error::InstallError;
use super::files::Disk;
use super::link::LinkMode;
use super::moves::moves;
use super::removal::Removal;
use super::transaction::Transaction;
use super::wheel_layout::is_reserved;
use crate::host::is_in_use;
use crate::progress::Reporter;
use crate::venv::{OWN_FOLDER, Scheme};
use crate::vocab::{Sha256, is_below, slashed};

const SCHEMA: &str = "torchfix.additions/1";
/// A list of some hundred files takes a hundredth of this.
const LARGEST_LIST: u64 = 4 << 20;

/// One file to be added, or put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amendment {
    /// A file comes to `path`.
    Add {
        /// Its path relative to the environment, `/` between components.
        path: String,
        /// Where its bytes come from.
        from: AddedFrom,
        /// Why, in a sentence.
        why: String,
    },
    /// Python looks into more folders, and loads libraries, before it imports torch.
    Hook {
        /// What it then does, besides what it does already.
        hook: Hook,
        /// Why, in a sentence.
        why: String,
    },
    /// A file that is in the way goes to `.torchfix/aside`.
    Aside {
        /// Its path relative to the environment.
        path: String,
        /// Why, in a sentence.
        why: String,
    },
}

impl Amendment {
    /// Why, in a sentence.
    pub fn why(&self) -> &str {
        match self {
            Self::Add { why, .. } | Self::Hook { why, .. } | Self::Aside { why, .. } => why,
        }
    }
}

/// Where the bytes of an added file come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddedFrom {
    /// A file of the environment, by its path relative to it: the added one is another name of it.
    Environment(String),
    /// A file elsewhere, an unpacked wheel's, which is copied.
    Elsewhere(PathBuf),
}

/// What Python does before it imports torch; all paths relative to site-packages, `/` between components.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The folders that it adds to the search path.
    pub folders: Vec<String>,
    /// The libraries that it loads, for those that are looked up by name alone.
    pub preloads: Vec<String>,
}

/// The list of what was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Additions {
    schema: String,
    /// What came, by its path relative to the environment.
    pub files: BTreeMap<String, Added>,
    /// What Python does before it imports torch.
    #[serde(default)]
    pub hook: Hook,
    /// What was in the way, by the path it had, and where it is kept.
    #[serde(default)]
    pub aside: BTreeMap<String, String>,
}

/// What is known of an added file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// The file of the environment that it is another name of.
    pub from: Option<String>,
    /// Its size in bytes when it was added; another one lies there where it is not that any more.
    pub size: u64,
    /// The hash of what was copied; links are as large as gigabytes, and are not hashed.
    pub sha256: Option<Sha256>,
    /// Why it was added.
    pub why: String,
}

impl Default for Additions {
    fn default() -> Self {
        Self { schema: SCHEMA.to_owned(), files: BTreeMap::new(), hook: Hook::default(), aside: BTreeMap::new() }
    }
}

impl Additions {
    /// Where the list lies, relative to the environment.
    pub fn list_path() -> String {
        format!("{OWN_FOLDER}/additions.json")
    }

    /// Reads the list of the environment at `root`; one that is not there is empty.
    pub fn read(root: &Path) -> Result<Self, InstallError> {
        let path = root.join(OWN_FOLDER).join("additions.json");
        let unusable = |reason: String| InstallError::Additions { path: path.clone(), reason };
        match fs_err::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
            Ok(metadata) if metadata.len() > LARGEST_LIST => return Err(unusable("it is too large".to_owned())),
            Ok(_) => {}
        }
        let list: Self = serde_json::from_slice(&fs_err::read(&path)?).map_err(|error| unusable(error.to_string()))?;
        if list.schema != SCHEMA {
            return Err(unusable(format!("its schema is `{}`, not {SCHEMA}", list.schema)));
        }
        // What it names is removed and looked at, so it is held to what torchfix writes.
        let is_own = |path: &&String| is_below(path) && !is_reserved(path, "Scripts") && !is_reserved(path, "bin");
        let hooked = list.hook.folders.iter().chain(&list.hook.preloads);
        let sources = list.files.values().filter_map(|added| added.from.as_ref());
        let foreign = list.files.keys().chain(sources).find(|path| !is_own(path));
        match foreign.or_else(|| hooked.into_iter().find(|path| !is_below(path))) {
            Some(path) => Err(unusable(format!("it names `{path}`"))),
            None => Ok(list),
        }
    }

    /// Whether what lies at `path` is what torchfix put there; the user may have put something else in its place.
    fn still_holds(&self, root: &Path, path: &str) -> bool {
        let Some(added) = self.files.get(path) else { return false };
        let file = root.join(path);
        let is_as_large = fs_err::symlink_metadata(&file).is_ok_and(|metadata| metadata.len() == added.size);
        let same = |expected: Sha256| fs_err::read(&file).is_ok_and(|bytes| Sha256::of(&bytes) == expected);
        is_as_large && added.sha256.is_none_or(same)
    }

    /// Forgets the files in whose place the user has put others.
    pub(super) fn forget_replaced(&mut self, root: &Path) {
        let replaced: Vec<String> = self.files.keys().filter(|path| !self.still_holds(root, path)).cloned().collect();
        self.files.retain(|path, _| !replaced.contains(path));
    }

    /// What goes with a change: additions whose torch goes, and those that are other names of what goes.
    pub(super) fn outdated(&self, removal: &Removal, torch_goes: bool) -> Vec<String> {
        let is_outdated = |added: &Added| torch_goes || added.from.as_ref().is_some_and(|from| removal.takes(from));
        self.files.iter().filter(|(_, added)| is_outdated(added)).map(|(path, _)| path.clone()).collect()
    }

    /// Writes the list to its place below `root`.
    pub(super) fn write(&self, root: &Path) -> Result<(), InstallError> {
        let path = root.join(Self::list_path());
        make_parent(&path)?;
        let mut text = serde_json::to_string_pretty(self).map_err(io::Error::from)?;
        text.push('\n');
        Ok(fs_err::write(path, text)?)
    }
}

/// How amending an environment went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amended {
    /// It was done.
    Done,
    /// A file cannot get a second name here, and nothing was changed.
    NoLinks,
}

/// Adds and puts aside, all or nothing, and keeps the list of it.
///
/// With [`LinkMode::Copy`] another name of a file is a copy of it; else it is a link or nothing is changed.
pub fn amend(
    scheme: &Scheme,
    amendments: &[Amendment],
    mode: LinkMode,
    interrupted: &AtomicBool,
    reporter: &dyn Reporter,
) -> Result<Amended, InstallError> {
    let root = &scheme.root;
    let transaction = Transaction::begin(root, &Disk, interrupted, reporter)?;
    let mut change = Change {
        scheme,
        staging: transaction.staging().to_owned(),
        list: Additions::read(root)?,
        removal: Removal { flavour: scheme.flavour, ..Removal::default() },
        paths: vec![Additions::list_path()],
    };
    for amendment in amendments {
        match amendment {
            Amendment::Add { path, from, why } => {
                if !change.add(path, from, why, mode)? {
                    return Ok(Amended::NoLinks);
                }
            }
            Amendment::Hook { hook, why } => change.hook(hook, why)?,
            Amendment::Aside { path, .. } => change.put_aside(path)?,
        }
    }
    let Change { staging, list, mut removal, mut paths, .. } = change;
    removal.add(Additions::list_path());
    removal.paths.retain(|_, path| fs_err::symlink_metadata(root.join(path)).is_ok());
    list.write(&staging)?;
    paths.sort();
    paths.dedup();
    let sorted: Vec<&str> = paths.iter().map(String::as_str).collect();
    let mut warnings = Vec::new();
    let moves = moves(root, &staging, &sorted, &removal, &mut warnings)?;
    transaction.commit(&moves, interrupted)?;
    for warning in &warnings {
        reporter.warning(warning);
    }
    Ok(Amended::Done)
}

/// A change on its way.
struct Change<'a> {
    scheme: &'a Scheme,
    staging: PathBuf,
    list: Additions,
    removal: Removal,
    /// What comes, by its path relative to the environment.
    paths: Vec<String>,
}

impl Change<'_> {
    /// Adds a file; `false` where it cannot be given a second name.
    fn add(&mut self, path: &str, from: &AddedFrom, why: &str, mode: LinkMode) -> Result<bool, InstallError> {
        let root = &self.scheme.root;
        // What lies there and is not of our making is the user's, or a distribution's.
        if fs_err::symlink_metadata(root.join(path)).is_ok() && !self.list.still_holds(root, path) {
            self.put_aside(path)?;
        }
        let target = self.staging.join(path);
        make_parent(&target)?;
        let source = match from {
            AddedFrom::Environment(source) => {
                if !link(&root.join(source), &target, mode)? {
                    return Ok(false);
                }
                Some(source.clone())
            }
            AddedFrom::Elsewhere(source) => {
                fs_err::copy(source, &target)?;
                None
            }
        };
        self.list_as_added(path, source, why)?;
        Ok(true)
    }

    fn hook(&mut self, hook: &Hook, why: &str) -> Result<(), InstallError> {
        self.list.hook.add(hook);
        let Scheme { root, purelib, .. } = self.scheme;
        let site = purelib.strip_prefix(root).unwrap_or(purelib);
        for (name, text) in self.list.hook.files() {
            let path = slashed(&site.join(name));
            make_parent(&self.staging.join(&path))?;
            fs_err::write(self.staging.join(&path), text)?;
            self.list_as_added(&path, None, why)?;
        }
        Ok(())
    }

    fn list_as_added(&mut self, path: &str, from: Option<String>, why: &str) -> io::Result<()> {
        let file = self.staging.join(path);
        let size = fs_err::metadata(&file)?.len();
        let sha256 = if from.is_none() { Some(Sha256::of(&fs_err::read(&file)?)) } else { None };
        self.list.files.insert(path.to_owned(), Added { from, size, sha256, why: why.to_owned() });
        self.removal.add(path.to_owned());
        self.paths.push(path.to_owned());
        Ok(())
    }

    /// Lets a file go; what torchfix did not add itself is kept.
    fn put_aside(&mut self, path: &str) -> Result<(), InstallError> {
        let root = &self.scheme.root;
        self.removal.add(path.to_owned());
        let is_ours = self.list.still_holds(root, path);
        self.list.files.remove(path);
        if is_ours {
            return Ok(());
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let kept = |number: u32| {
            format!("{OWN_FOLDER}/aside/{}{name}", if number == 0 { String::new() } else { format!("{number}-") })
        };
        let is_free = |kept: &String| !self.paths.contains(kept) && fs_err::symlink_metadata(root.join(kept)).is_err();
        let Some(kept) = (0..=u32::MAX).map(kept).find(is_free) else { return Ok(()) };
        let target = self.staging.join(&kept);
        make_parent(&target)?;
        fs_err::copy(root.join(path), &target)?;
        self.list.aside.insert(path.to_owned(), kept.clone());
        self.paths.push(kept);
        Ok(())
    }
}

/// Gives `source` a second name; `false` where the file system has no links and copies are not asked for.
fn link(source: &Path, target: &Path, mode: LinkMode) -> Result<bool, InstallError> {
    if mode == LinkMode::Copy {
        fs_err::copy(source, target)?;
        return Ok(true);
    }
    if mode != LinkMode::Hardlink && reflink_copy::reflink(source, target).is_ok() {
        return Ok(true);
    }
    match fs_err::hard_link(source, target) {
        Ok(()) => Ok(true),
        // The file has as many names as it can have; that says nothing of the others.
        Err(error) if error.kind() == io::ErrorKind::TooManyLinks => {
            fs_err::copy(source, target)?;
            Ok(true)
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StorageFull) => Err(error.into()),
        Err(error) if is_in_use(&error) => Err(error.into()),
        Err(_) => Ok(false),
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs_err::create_dir_all)
}

/// The module that the `.pth` file imports.
const HOOK_MODULE: &str = "_torchfix_search_path.py";
/// The file that Python reads when it starts.
const HOOK_STARTER: &str = "torchfix-search-path.pth";

impl Hook {
    fn add(&mut self, more: &Self) {
        for (have, more) in [(&mut self.folders, &more.folders), (&mut self.preloads, &more.preloads)] {
            let new: Vec<String> = more.iter().filter(|path| !have.contains(path)).cloned().collect();
            have.extend(new);
        }
    }

    /// The files in site-packages that make Python do it, each its name and its text.
    ///
    /// For where libraries cannot be linked into `torch\lib`. Python starts with a finder that does nothing until torch
    /// is imported, and that passes over what is not there.
    fn files(&self) -> [(&'static str, String); 2] {
        let list = |paths: &[String]| serde_json::json!(paths).to_string();
        let module = include_str!("search_path_hook.py")
            .replace("FOLDERS = []", &format!("FOLDERS = {}", list(&self.folders)))
            .replace("PRELOADS = []", &format!("PRELOADS = {}", list(&self.preloads)));
        let starter = "import sys; exec(\"try:\\n import _torchfix_search_path\\nexcept Exception: pass\")\n";
        [(HOOK_MODULE, module), (HOOK_STARTER, starter.to_owned())]
    }
}

/// Relative to the environment: a file that stands from a change of libraries to when torchfix has looked at whether
/// they are found.
pub(super) fn unsettled_path() -> String {
    format!("{OWN_FOLDER}/unsettled")
}

pub(super) fn write_unsettled(root: &Path) -> io::Result<()> {
    let path = root.join(unsettled_path());
    make_parent(&path)?;
    fs_err::write(path, "")
}

/// Whether libraries were changed and nobody has looked yet at whether they are found, since the process ended there.
pub fn is_unsettled(root: &Path) -> bool {
    root.join(unsettled_path()).exists()
}

/// Notes that somebody has.
pub fn settled(root: &Path) -> Result<(), InstallError> {
    match fs_err::remove_file(root.join(unsettled_path())) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venv::Flavour;

    fn scheme() -> (tempfile::TempDir, Scheme) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let site = root.join("Lib").join("site-packages");
        for (path, text) in
            [("torch/lib/c10.dll", "c10"), ("torch/lib/stray.dll", "stray"), ("nvidia/cudnn/bin/x.dll", "x")]
        {
            fs_err::create_dir_all(site.join(path).parent().unwrap()).unwrap();
            fs_err::write(site.join(path), text).unwrap();
        }
        let scheme = Scheme {
            root: root.clone(),
            purelib: site.clone(),
            platlib: site,
            scripts: root.join("Scripts"),
            headers: root.join("Include"),
            data: root,
            flavour: Flavour::Windows,
        };
        (folder, scheme)
    }

    fn add(path: &str, from: AddedFrom) -> Amendment {
        Amendment::Add { path: path.to_owned(), from, why: "it is missed".to_owned() }
    }

    fn amended(scheme: &Scheme, amendments: &[Amendment], mode: LinkMode) -> Amended {
        amend(scheme, amendments, mode, &AtomicBool::new(false), &()).unwrap()
    }

    #[test]
    fn what_is_added_is_there_and_listed_and_what_is_put_aside_is_kept() {
        let (_folder, scheme) = scheme();
        let root = &scheme.root;
        let lib = "Lib/site-packages/torch/lib";
        let x = add(&format!("{lib}/x.dll"), AddedFrom::Environment("Lib/site-packages/nvidia/cudnn/bin/x.dll".into()));
        assert_eq!(amended(&scheme, &[x], LinkMode::Auto), Amended::Done);
        let stray = format!("{lib}/stray.dll");
        let aside = Amendment::Aside { path: stray.clone(), why: "it is in the way".to_owned() };
        assert_eq!(amended(&scheme, &[aside], LinkMode::Copy), Amended::Done);
        assert_eq!(fs_err::read_to_string(root.join(lib).join("x.dll")).unwrap(), "x");
        assert_eq!(fs_err::read_to_string(root.join(".torchfix/aside/stray.dll")).unwrap(), "stray");
        assert!(!root.join(&stray).exists());
        // Of the same name, from the same place, and not the same file.
        fs_err::write(root.join(&stray), "another").unwrap();
        let added = add(&stray, AddedFrom::Environment("Lib/site-packages/nvidia/cudnn/bin/x.dll".into()));
        assert_eq!(amended(&scheme, &[added], LinkMode::Copy), Amended::Done);
        assert_eq!(fs_err::read_to_string(root.join(".torchfix/aside/stray.dll")).unwrap(), "stray");
        assert_eq!(fs_err::read_to_string(root.join(".torchfix/aside/1-stray.dll")).unwrap(), "another");
        let ours = Amendment::Aside { path: stray.clone(), why: "it is in the way".to_owned() };
        assert_eq!(amended(&scheme, &[ours], LinkMode::Copy), Amended::Done);
        assert!(!root.join(&stray).exists() && !root.join(".torchfix/aside/2-stray.dll").exists());
        // What the user puts where torchfix had put something is the user's.
        let again = add(&stray, AddedFrom::Environment("Lib/site-packages/nvidia/cudnn/bin/x.dll".into()));
        assert_eq!(amended(&scheme, std::slice::from_ref(&again), LinkMode::Copy), Amended::Done);
        fs_err::write(root.join(&stray), "the user's").unwrap();
        let mut known = Additions::read(root).unwrap();
        known.forget_replaced(root);
        assert!(!known.files.contains_key(&stray));
        assert_eq!(amended(&scheme, &[again], LinkMode::Copy), Amended::Done);
        assert_eq!(fs_err::read_to_string(root.join(".torchfix/aside/2-stray.dll")).unwrap(), "the user's");
        let ours = Amendment::Aside { path: stray, why: "it is in the way".to_owned() };
        assert_eq!(amended(&scheme, &[ours], LinkMode::Copy), Amended::Done);
        let list = Additions::read(root).unwrap();
        let files: Vec<_> = list.files.iter().map(|(path, added)| (path.as_str(), added.from.is_some())).collect();
        assert_eq!(files, [("Lib/site-packages/torch/lib/x.dll", true)]);

        let mut removal = Removal { flavour: Flavour::Windows, ..Removal::default() };
        assert!(list.outdated(&removal, false).is_empty());
        removal.add("Lib/site-packages/nvidia/CUDNN".to_owned());
        assert_eq!(list.outdated(&removal, false), [format!("{lib}/x.dll")], "another name of what goes");
        assert_eq!(list.outdated(&Removal::default(), true).len(), 1, "all of it with torch");
    }

    #[test]
    fn a_list_that_leads_outside_is_refused() {
        let (_folder, scheme) = scheme();
        let path = scheme.root.join(Additions::list_path());
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        for list in [
            r#"{"schema":"torchfix.additions/1","files":{"../x":{"from":null,"size":0,"sha256":null,"why":""}}}"#,
            r#"{"schema":"torchfix.additions/1","files":{"Scripts/python.exe":{"from":null,"size":0,"sha256":null,"why":""}}}"#,
            r#"{"schema":"torchfix.additions/1","files":{"x":{"from":"/etc/x","size":0,"sha256":null,"why":""}}}"#,
            r#"{"schema":"torchfix.additions/1","files":{},"hook":{"folders":["../x"],"preloads":[]}}"#,
            r#"{"schema":"torchfix.additions/9","files":{}}"#,
            "not json",
        ] {
            fs_err::write(&path, list).unwrap();
            let refused = Additions::read(&scheme.root);
            assert!(matches!(refused, Err(InstallError::Additions { .. })), "{refused:?}");
        }
    }

    #[test]
    fn the_hook_does_what_it_did_before_and_more() {
        let (_folder, scheme) = scheme();
        for (folder, library) in [("nvidia/cudnn/bin", "nvidia/cudnn/bin/x.dll"), ("nvidia/b", "nvidia/b/y.dll")] {
            let hook = Hook { folders: vec![folder.to_owned()], preloads: vec![library.to_owned()] };
            let amendment = Amendment::Hook { hook, why: "no links here".to_owned() };
            assert_eq!(amended(&scheme, &[amendment], LinkMode::Auto), Amended::Done);
        }
        let text = fs_err::read_to_string(scheme.purelib.join(HOOK_MODULE)).unwrap();
        assert!(text.contains(r#"FOLDERS = ["nvidia/cudnn/bin","nvidia/b"]"#), "{text}");
        assert!(text.contains(r#"PRELOADS = ["nvidia/cudnn/bin/x.dll","nvidia/b/y.dll"]"#), "{text}");
        let starter = fs_err::read_to_string(scheme.purelib.join(HOOK_STARTER)).unwrap();
        assert!(starter.starts_with("import ") && starter.lines().count() == 1, "{starter}");
        let list = Additions::read(&scheme.root).unwrap();
        assert_eq!(list.files.len(), 2);
    }
}
