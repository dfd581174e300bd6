//! DLLs on disk, each read once, found without regard to case on every system.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::pe::{PeFault, PeImage};
use crate::vocab::RecordRows;

use super::problem::{file_name, folded};
use super::windows::{DllFiles, FolderEntry};

/// torch's has 1.5 MB; no RECORD comes near this.
const LARGEST_RECORD: u64 = 64 << 20;

/// What is kept of all DLLs together, in bytes; torch with all of NVIDIA's takes a tenth.
const MOST_KEPT: usize = 256 << 20;

/// The files of this machine.
pub(super) struct DllsOnDisk {
    /// How much more may be kept, in bytes.
    room: Cell<usize>,
    images: RefCell<BTreeMap<PathBuf, Option<Image>>>,
    folders: RefCell<BTreeMap<PathBuf, Option<Rc<Folder>>>>,
}

/// What reading a file came to.
type Image = Result<Rc<PeImage>, PeFault>;

/// What is in a folder, by its name in lower case.
type Folder = BTreeMap<String, FolderEntry>;

impl Default for DllsOnDisk {
    fn default() -> Self {
        Self { room: Cell::new(MOST_KEPT), images: RefCell::default(), folders: RefCell::default() }
    }
}

impl DllsOnDisk {
    /// The DLL at `path`, if there is room for what it holds.
    fn read(&self, path: &Path) -> Option<Image> {
        PeImage::open(path).map(|image| {
            let image = image?;
            let left = self.room.get().checked_sub(image.weight()).ok_or(PeFault::TooMuch { most: MOST_KEPT })?;
            self.room.set(left);
            Ok(Rc::new(image))
        })
    }

    fn folder(&self, path: &Path) -> Option<Rc<Folder>> {
        self.folders.borrow_mut().entry(path.to_owned()).or_insert_with(|| read_folder(path).map(Rc::new)).clone()
    }
}

impl DllFiles for DllsOnDisk {
    fn image(&self, path: &Path) -> Option<Image> {
        let (folder, name) = (path.parent()?, file_name(path));
        let entries = self.folder(folder)?;
        let entry = entries.get(&name).filter(|entry| !entry.is_folder)?;
        let path = folder.join(&entry.name);
        self.images.borrow_mut().entry(path.clone()).or_insert_with(|| self.read(&path)).clone()
    }

    fn spelled(&self, path: &Path) -> PathBuf {
        let entry = || {
            let (folder, name) = (path.parent()?, file_name(path));
            Some(folder.join(&self.folder(folder)?.get(&name)?.name))
        };
        entry().unwrap_or_else(|| path.to_owned())
    }

    fn list(&self, folder: &Path) -> Option<Vec<FolderEntry>> {
        self.folder(folder).map(|entries| entries.values().cloned().collect())
    }

    fn recorded(&self, torch: &Path) -> Option<BTreeSet<String>> {
        let site_packages = torch.parent()?;
        let mut names = BTreeSet::new();
        let mut has_torch = false;
        for entry in self.list(site_packages)?.iter().filter(|entry| entry.name.ends_with(".dist-info")) {
            let path = site_packages.join(&entry.name).join("RECORD");
            let small = fs_err::metadata(&path).is_ok_and(|it| it.is_file() && it.len() <= LARGEST_RECORD);
            let Some(bytes) = small.then(|| fs_err::read(&path).ok()).flatten() else { continue };
            has_torch |= folded(&entry.name).starts_with("torch-");
            names.extend(in_lib(&bytes));
        }
        has_torch.then_some(names)
    }
}

/// The files in torch's `lib` folder that a RECORD names, in lower case; rows that cannot be read name none.
fn in_lib(record: &[u8]) -> Vec<String> {
    let Ok(rows) = RecordRows::of(record) else { return Vec::new() };
    rows.filter_map(|row| {
        let path = row.ok()?.fields[0].replace('\\', "/");
        let path = folded(&path);
        path.strip_prefix("torch/lib/").map(str::to_owned)
    })
    .collect()
}

fn read_folder(path: &Path) -> Option<Folder> {
    let entries = fs_err::read_dir(path).ok()?;
    let entry = |entry: fs_err::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().ok()?;
        let is_folder = kind.is_dir() || kind.is_symlink() && entry.path().is_dir();
        Some((folded(&name), FolderEntry { name, is_folder }))
    };
    Some(entries.filter_map(|found| entry(found.ok()?)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pe::builder::Dll;

    #[test]
    fn what_is_kept_of_all_dlls_together_is_limited() {
        let folder = tempfile::tempdir().unwrap();
        let dll = Dll::new().imports("other.dll", &["a", "b"]).exports(&["f"]).build();
        let weight = PeImage::read(dll.as_slice()).unwrap().weight();
        assert!((50..1000).contains(&weight), "{weight}");
        for name in ["a.dll", "b.dll", "c.dll"] {
            fs_err::write(folder.path().join(name), &dll).unwrap();
        }
        let files = DllsOnDisk { room: Cell::new(2 * weight), ..DllsOnDisk::default() };
        let fault = |name: &str| files.image(&folder.path().join(name)).unwrap().err();
        for _ in 0..2 {
            assert_eq!((fault("a.dll"), fault("b.dll")), (None, None), "each counts once");
        }
        let refused = fault("c.dll").unwrap();
        assert_eq!(refused, PeFault::TooMuch { most: MOST_KEPT });
        assert!(refused.to_string().contains("268435456 bytes"), "{refused}");
    }

    #[test]
    fn files_are_found_without_regard_to_case() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("VCOMP140.DLL"), "no DLL").unwrap();
        let files = DllsOnDisk::default();
        assert!(matches!(files.image(&folder.path().join("vcomp140.dll")), Some(Err(PeFault::NotPe))));
        assert_eq!(files.spelled(&folder.path().join("vcomp140.dll")), folder.path().join("VCOMP140.DLL"));
        assert!(files.image(&folder.path().join("other.dll")).is_none());
        assert!(files.list(&folder.path().join("none")).is_none());
    }

    #[test]
    fn what_distributions_brought_is_known_from_their_records() {
        let folder = tempfile::tempdir().unwrap();
        let files = DllsOnDisk::default();
        let torch = folder.path().join("torch");
        let info = folder.path().join("torch-2.9.1.dist-info");
        fs_err::create_dir(&info).unwrap();
        fs_err::write(info.join("RECORD"), "torch/lib/C10.dll,sha256=x,1\ntorch/lib/Ä.dll,,\ntorch/__init__.py,,\n")
            .unwrap();
        assert_eq!(files.recorded(&torch), Some(["c10.dll", "ä.dll"].map(str::to_owned).into()));
        assert_eq!(files.recorded(&folder.path().join("none/torch")), None);
    }
}
