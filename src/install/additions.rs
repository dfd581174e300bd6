//! The list of what torchfix has added to an environment so that torch's libraries load.
//!
//! It lies in the environment's `.torchfix` folder, not in the RECORD of the distribution it is for: who verifies that one
//! finds what its wheel brought.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::InstallError;
use super::files::make_parent;
use super::hook::Hook;
use super::removal::Removal;
use super::wheel_layout::is_reserved;
use crate::venv::OWN_FOLDER;
use crate::vocab::{Sha256, is_below};

const SCHEMA: &str = "torchfix.additions/1";
/// A list of some hundred files takes a hundredth of this.
const LARGEST_LIST: u64 = 4 << 20;

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
    pub(super) fn still_holds(&self, root: &Path, path: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_leads_outside_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let path = root.join(Additions::list_path());
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
            let refused = Additions::read(root);
            assert!(matches!(refused, Err(InstallError::Additions { .. })), "{refused:?}");
        }
    }
}
