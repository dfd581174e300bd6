//! The renames that turn an environment into what it is to be: as few and as coarse as can be.

use std::io::{self, Read as _};
use std::path::Path;

use super::InstallError;
use super::removal::Removal;

/// Renames, all paths relative to the environment: first what goes is put away, then what comes takes its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Moves {
    /// What goes: files, links, whole folders.
    pub away: Vec<String>,
    /// What comes: whole folders where none is there yet, else files.
    pub place: Vec<String>,
}

/// Works out the renames, before any is done.
///
/// `files` are the paths of what was built in `staging`, sorted. What is there already with the same bytes stays;
/// what differs is put away, and said.
pub fn moves(
    root: &Path,
    staging: &Path,
    files: &[&str],
    removal: &Removal,
    warnings: &mut Vec<String>,
) -> Result<Moves, InstallError> {
    let away = removal.paths.values().cloned().collect();
    let mut builder = Builder { root, staging, removal, moves: Moves { away, place: Vec::new() }, warnings };
    builder.descend("", files)?;
    Ok(builder.moves)
}

struct Builder<'a> {
    root: &'a Path,
    staging: &'a Path,
    removal: &'a Removal,
    moves: Moves,
    warnings: &'a mut Vec<String>,
}

impl Builder<'_> {
    /// Places the files of one folder, which is there and stays.
    fn descend(&mut self, folder: &str, files: &[&str]) -> Result<(), InstallError> {
        let mut rest = files;
        while let Some(first) = rest.first() {
            let start = if folder.is_empty() { 0 } else { folder.len() + 1 };
            let end = first[start..].find('/').map_or(first.len(), |length| start + length);
            let path = &first[..end];
            // Sorted paths of one folder lie together.
            let is_inside = |file: &&str| file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
            let count = if end == first.len() { 1 } else { rest.iter().take_while(|file| is_inside(file)).count() };
            let (own, others) = rest.split_at(count);
            self.place(path, own, end < first.len())?;
            rest = others;
        }
        Ok(())
    }

    fn place(&mut self, path: &str, files: &[&str], is_folder: bool) -> Result<(), InstallError> {
        let target = self.root.join(path);
        let present = match fs_err::symlink_metadata(&target) {
            Ok(metadata) => Some(metadata).filter(|_| !self.removal.takes(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let Some(present) = present else {
            self.moves.place.push(path.to_owned());
            return Ok(());
        };
        match (is_folder, present.is_dir()) {
            (true, true) => return self.descend(path, files),
            (true, false) if present.is_symlink() && target.is_dir() => {
                return Err(InstallError::InTheWay { path: target, what: "a link to a folder" });
            }
            (false, true) => return Err(InstallError::InTheWay { path: target, what: "a folder" }),
            (false, false) if present.is_file() && same_bytes(&target, &self.staging.join(path))? => return Ok(()),
            (true | false, false) => {}
        }
        self.warnings.push(format!("`{path}` was there and is replaced"));
        self.moves.away.push(path.to_owned());
        self.moves.place.push(path.to_owned());
        Ok(())
    }
}

fn same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (fs_err::File::open(one)?, fs_err::File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (io::BufReader::new(one), io::BufReader::new(other));
    let (mut left, mut right) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let count = one.read(&mut left)?;
        other.read_exact(&mut right[..count])?;
        if left[..count] != right[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venv::Flavour;

    fn write(root: &Path, path: &str, text: &str) {
        fs_err::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs_err::write(root.join(path), text).unwrap();
    }

    #[test]
    fn whole_folders_move_where_none_is_and_files_where_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let (root, staging) = (folder.path().join("root"), folder.path().join("new"));
        for (path, text) in
            [("site/nvidia/__init__.py", ""), ("site/nvidia/a/x", "x"), ("site/old/y", ""), ("site/s.py", "old")]
        {
            write(&root, path, text);
        }
        let files = ["bin/t", "site/nvidia/__init__.py", "site/nvidia/b/z", "site/nvidia/c", "site/old/y", "site/s.py"];
        for path in files {
            write(&staging, path, if path == "site/s.py" { "new" } else { "" });
        }
        let paths = [("site/old".to_owned(), "site/old".to_owned())].into();
        let removal = Removal { paths, flavour: Flavour::Posix, warnings: Vec::new() };
        let mut warnings = Vec::new();
        let moves = moves(&root, &staging, &files, &removal, &mut warnings).unwrap();
        assert_eq!(moves.away, ["site/old", "site/s.py"]);
        assert_eq!(moves.place, ["bin", "site/nvidia/b", "site/nvidia/c", "site/old", "site/s.py"]);
        assert_eq!(warnings, ["`site/s.py` was there and is replaced"]);
    }

    #[test]
    fn a_folder_is_never_replaced_by_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let (root, staging) = (folder.path().join("root"), folder.path().join("new"));
        write(&root, "site/a/mine", "");
        write(&staging, "site/a", "");
        let refused = moves(&root, &staging, &["site/a"], &Removal::default(), &mut Vec::new());
        assert!(matches!(refused, Err(InstallError::InTheWay { .. })), "{refused:?}");
    }
}
