//! What torchfix adds to an environment so that torch's libraries load: in one transaction, and listed.
//!
//! What is added works without torchfix, and goes with torch.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use super::additions::{Added, Additions};
use super::error::InstallError;
use super::files::{Disk, make_parent};
use super::hook::Hook;
use super::link::{LinkMode, give_second_name};
use super::moves::moves;
use super::removal::Removal;
use super::transaction::Transaction;
use crate::progress::Reporter;
use crate::venv::{OWN_FOLDER, Scheme};
use crate::vocab::{Sha256, slashed};

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
                if !give_second_name(&root.join(source), &target, mode)? {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::hook::{HOOK_MODULE, HOOK_STARTER};
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
        let scheme = Scheme::on_windows(&root, "3.12");
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
