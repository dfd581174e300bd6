//! The cache of unpacked wheels, by the SHA-256 of the wheel.
//!
//! ```text
//! wheels-v1/<sha256>/tree/…   the files, as they lie in the wheel
//! wheels-v1/<sha256>/index    their list, with sizes and times
//! staging-v1/<key>/…          wheels that are being unpacked, or were when a run ended
//! known-v1/<key>              what a wheel without a hash was found to hash to
//! locks-v1/<key>              locked by the process that unpacks a wheel
//! ```
//! All of it may be deleted at any time.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::index_file::{IndexFile, nanoseconds};
use super::lock::WheelLock;
use super::record::RecordHash;
use super::{CacheError, UnpackedFile, UnpackedWheel};
use crate::host;
use crate::vocab::{Extent, Sha256, WheelName};

const WHEELS: &str = "wheels-v1";
const STAGING: &str = "staging-v1";
const KNOWN: &str = "known-v1";
const LOCKS: &str = "locks-v1";
/// Backup programs pass over folders that hold this: <https://bford.info/cachedir/>
const TAG: &str = "CACHEDIR.TAG";
/// The folder of the files in a wheel's folder.
pub(super) const TREE: &str = "tree";
/// What a removed folder is called until it is gone.
const TRASH: &str = "trash-";
/// Fewer files than this are looked at by one thread.
const FEW: usize = 1000;

/// The cache of unpacked wheels.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// What a clean-up removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Wheels, whole or half.
    pub wheels: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

impl Cache {
    /// The cache under `dir`, made where it is not there.
    pub fn open(dir: &Path) -> Result<Self, CacheError> {
        let make = || -> io::Result<()> {
            for part in [WHEELS, STAGING, KNOWN, LOCKS] {
                fs_err::create_dir_all(dir.join(part))?;
            }
            let tag = dir.join(TAG);
            if !tag.exists() {
                fs_err::write(tag, "Signature: 8a477f597d28d172789f06886806bc55\n# the cache of torchfix\n")?;
            }
            Ok(())
        };
        make().map_err(|source| CacheError::Unusable { path: dir.to_owned(), source })?;
        Ok(Self { root: dir.to_owned() })
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.root
    }

    /// The wheel with this hash, if it is in the cache with every file as it was unpacked.
    ///
    /// A file whose size or time changed is hashed; an entry that is damaged is a miss.
    pub fn lookup(&self, sha256: &Sha256, file_name: &WheelName, threads: usize) -> Option<UnpackedWheel> {
        let folder = self.wheel_folder(sha256);
        let mut index = IndexFile::read(&folder).filter(|index| index.sha256 == *sha256)?;
        let root = folder.join(TREE);
        if touched_files_match(&root, &mut index, threads)? {
            // Only the next run's speed hangs on it.
            let _ = index.write(&folder);
        }
        Some(UnpackedWheel {
            file_name: file_name.clone(),
            sha256: *sha256,
            root,
            dist_info: index.dist_info,
            files: index.files,
            bytes_fetched: 0,
        })
    }

    /// Whether the wheel with this hash seems to be there; [`Cache::lookup`] looks closely.
    pub fn holds(&self, sha256: &Sha256) -> bool {
        self.wheel_folder(sha256).join(TREE).is_dir()
    }

    /// What the wheel with this hash comes to, if it is there.
    pub fn extent(&self, sha256: &Sha256) -> Option<Extent> {
        let index = IndexFile::read(&self.wheel_folder(sha256)).filter(|index| index.sha256 == *sha256)?;
        Some(Extent::of(index.files.iter().map(|file| (file.path.as_str(), file.size))))
    }

    /// Bytes of all that is kept: wheels, half-unpacked ones, pages, metadata, facts about interpreters.
    pub fn size(&self) -> Result<u64, CacheError> {
        let parts = self.parts()?;
        let sum = parts.iter().map(|part| size_of_tree(&self.root.join(part))).sum::<io::Result<u64>>();
        sum.map_err(|source| self.unusable(source))
    }

    /// Removes what no run can use: half-unpacked wheels that no process works on, entries that are damaged, leftovers.
    pub fn prune(&self) -> Result<Swept, CacheError> {
        let mut swept = Swept::default();
        for name in self.names(STAGING)? {
            let Some(_lock) = WheelLock::attempt(&self.lock_path(&name))? else { continue };
            self.sweep(&self.root.join(STAGING).join(&name), &mut swept)?;
        }
        for name in self.names(WHEELS)? {
            let Some(_lock) = WheelLock::attempt(&self.lock_path(&name))? else { continue };
            let folder = self.root.join(WHEELS).join(&name);
            if IndexFile::read(&folder).is_none_or(|index| index.sha256.to_string() != name) {
                self.sweep(&folder, &mut swept)?;
            }
        }
        Ok(swept)
    }

    /// Removes everything, but for wheels that a process works on.
    pub fn clean(&self) -> Result<Swept, CacheError> {
        let mut swept = self.prune()?;
        for name in self.names(WHEELS)? {
            let Some(_lock) = WheelLock::attempt(&self.lock_path(&name))? else { continue };
            self.sweep(&self.root.join(WHEELS).join(name), &mut swept)?;
        }
        for part in self.parts()?.iter().filter(|part| ![WHEELS, STAGING, LOCKS].contains(&part.as_str())) {
            let path = self.root.join(part);
            let remove = || -> io::Result<u64> {
                let size = size_of_tree(&path)?;
                if path.is_dir() { fs_err::remove_dir_all(&path) } else { fs_err::remove_file(&path) }?;
                Ok(size)
            };
            swept.bytes += remove().map_err(|source| self.unusable(source))?;
        }
        Ok(swept)
    }

    pub(super) fn staged_bytes(&self, key: &str) -> u64 {
        // What cannot be looked at will not be gone on from.
        size_of_tree(&self.staging_folder(key)).unwrap_or_default()
    }

    pub(super) fn staging_folder(&self, key: &str) -> PathBuf {
        self.root.join(STAGING).join(key)
    }

    pub(super) fn known_path(&self, key: &str) -> PathBuf {
        self.root.join(KNOWN).join(key)
    }

    pub(super) fn lock_path(&self, key: &str) -> PathBuf {
        self.root.join(LOCKS).join(key)
    }

    /// Makes a staged wheel an entry of the cache: one rename.
    pub(super) fn commit(&self, staging: &Path, sha256: &Sha256) -> io::Result<PathBuf> {
        let folder = self.wheel_folder(sha256);
        // What is there was looked at before, and is damaged.
        self.discard(&folder)?;
        host::rename(staging, &folder)?;
        Ok(folder)
    }

    /// Removes a folder that may be there: out of sight first, so that nobody meets half of it.
    pub(super) fn discard(&self, folder: &Path) -> io::Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let trash = self.root.join(STAGING).join(format!("{TRASH}{}-{number}", std::process::id()));
        match host::rename(folder, &trash) {
            Ok(()) => fs_err::remove_dir_all(trash),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            // Something lies there under the name of an earlier process: it is trash as well.
            Err(_) if trash.exists() => fs_err::remove_dir_all(&trash).and_then(|()| fs_err::remove_dir_all(folder)),
            Err(error) => Err(error),
        }
    }

    fn wheel_folder(&self, sha256: &Sha256) -> PathBuf {
        self.root.join(WHEELS).join(sha256.to_string())
    }

    fn sweep(&self, folder: &Path, swept: &mut Swept) -> Result<(), CacheError> {
        swept.bytes += size_of_tree(folder).map_err(|source| self.unusable(source))?;
        swept.wheels += 1;
        self.discard(folder).map_err(|source| self.unusable(source))
    }

    /// What lies in its folder, but for the tag.
    fn parts(&self) -> Result<Vec<String>, CacheError> {
        let mut parts = self.names("")?;
        parts.retain(|part| part != TAG);
        Ok(parts)
    }

    fn names(&self, part: &str) -> Result<Vec<String>, CacheError> {
        let list = || -> io::Result<Vec<String>> {
            let entries = fs_err::read_dir(self.root.join(part))?;
            entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
        };
        list().map_err(|source| self.unusable(source))
    }

    fn unusable(&self, source: io::Error) -> CacheError {
        CacheError::Unusable { path: self.root.clone(), source }
    }
}

/// Looks at every file: `None` when one is not what it was, else whether a time was noted anew.
fn touched_files_match(root: &Path, index: &mut IndexFile, threads: usize) -> Option<bool> {
    let count = index.files.len();
    let threads = if count < FEW { 1 } else { threads.clamp(1, 8) };
    let share = count.div_ceil(threads).max(1);
    let changed = AtomicBool::new(false);
    let look = |files: &[UnpackedFile], modified: &mut [i64]| {
        files.iter().zip(modified).all(|(file, modified)| match time_if_intact(root, file, *modified) {
            Some(time) => {
                if time != *modified {
                    changed.store(true, Ordering::Relaxed);
                    *modified = time;
                }
                true
            }
            None => false,
        })
    };
    let intact = std::thread::scope(|scope| {
        let parts = index.files.chunks(share).zip(index.modified.chunks_mut(share));
        let look = &look;
        let mut parts = parts.collect::<Vec<_>>().into_iter();
        let own = parts.next();
        let others: Vec<_> = parts.map(|(files, modified)| scope.spawn(move || look(files, modified))).collect();
        let own = own.is_none_or(|(files, modified)| look(files, modified));
        others.into_iter().all(|thread| thread.join().unwrap_or(false)) && own
    });
    intact.then(|| changed.into_inner())
}

/// The file's time, when it is what was unpacked.
fn time_if_intact(root: &Path, file: &UnpackedFile, modified: i64) -> Option<i64> {
    let path = root.join(&file.path);
    let metadata = fs_err::symlink_metadata(&path).ok()?;
    let time = modified_of(&metadata)?;
    if !metadata.is_file() || metadata.len() != file.size {
        return None;
    }
    if time == modified {
        return Some(time);
    }
    // RECORD itself has no hash; it is small, and what it says was judged when it was unpacked: any change is damage.
    let hash: RecordHash = file.record_hash.parse().ok()?;
    let intact = hash.matches(&mut fs_err::File::open(path).ok()?).ok()?;
    intact.then_some(time)
}

/// A file's modification time in nanoseconds since 1970.
pub(super) fn modified_of(metadata: &Metadata) -> Option<i64> {
    metadata.modified().ok().map(nanoseconds)
}

/// Bytes of the files below; links are not followed, and what vanishes meanwhile does not count.
fn size_of_tree(path: &Path) -> io::Result<u64> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let metadata = match fs_err::symlink_metadata(path) {
        Err(error) if gone(&error) => return Ok(0),
        result => result?,
    };
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut sum = 0;
    for entry in fs_err::read_dir(path)? {
        sum += size_of_tree(&entry?.path())?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_cache_has_nothing_and_is_made_where_it_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("a/b")).unwrap();
        assert!(cache.lookup(&Sha256::of(b""), &"demo-1.0-py3-none-any.whl".parse().unwrap(), 2).is_none());
        assert_eq!(cache.size().unwrap(), 0);
        fs_err::create_dir(cache.staging_folder("left")).unwrap();
        fs_err::write(cache.staging_folder("left").join("x"), "12345").unwrap();
        assert_eq!(cache.size().unwrap(), 5);
        assert_eq!(cache.prune().unwrap(), Swept { wheels: 1, bytes: 5 });
        assert_eq!(cache.clean().unwrap(), Swept::default());
        fs_err::create_dir(folder.path().join("a/b/pages-v1")).unwrap();
        fs_err::write(folder.path().join("a/b/pages-v1/x.page"), "123").unwrap();
        assert_eq!(cache.size().unwrap(), 3);
        assert_eq!(cache.clean().unwrap(), Swept { wheels: 0, bytes: 3 });
        assert_eq!(cache.size().unwrap(), 0);
    }

    #[test]
    fn a_file_in_its_place_is_an_error_that_names_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Cache::open(file.path()).unwrap_err();
        assert!(error.to_string().contains(&file.path().display().to_string()));
    }
}
