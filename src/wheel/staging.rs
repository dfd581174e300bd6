//! The files of a wheel that is being unpacked.

use std::collections::HashSet;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use fs_err::{File, OpenOptions};

use super::cache::{TREE, modified_of};
use super::checkpoint::Inside;
use crate::fetch::Stop;
use crate::zip::Entry;

/// Distance that deflate looks back.
const WINDOW: u64 = 32 << 10;

/// The staging folder of one wheel; its lock is held while this is alive.
#[derive(Debug)]
pub(super) struct Staging {
    folder: PathBuf,
    tree: PathBuf,
    /// Folders of the tree that were made.
    made: HashSet<String>,
}

/// A file of the tree, being written.
#[derive(Debug)]
pub(super) struct StagedFile {
    file: File,
    crc32: crc32fast::Hasher,
    written: u64,
}

impl Staging {
    /// The folder, made where it is not there.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let tree = folder.join(TREE);
        fs_err::create_dir_all(&tree)?;
        Ok(Self { folder: folder.to_owned(), tree, made: HashSet::new() })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a file of the wheel lies.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.tree.join(path)
    }

    /// Where a wheel is kept that could not be fetched in ranges.
    pub(super) fn spool(&self) -> PathBuf {
        self.folder.join("whole")
    }

    /// Makes a folder of the wheel, and those above it.
    pub(super) fn make_folder(&mut self, path: &str) -> io::Result<()> {
        if path.is_empty() || self.made.contains(path) {
            return Ok(());
        }
        fs_err::create_dir_all(self.tree.join(path))?;
        self.made.insert(path.to_owned());
        Ok(())
    }

    /// Begins the file of an entry.
    pub(super) fn create(&mut self, entry: &Entry) -> io::Result<StagedFile> {
        if let Some((parent, _)) = entry.path.rsplit_once('/') {
            self.make_folder(parent)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use fs_err::os::unix::fs::OpenOptionsExt as _;
            options.mode(if entry.executable { 0o777 } else { 0o666 });
        }
        let file = options.open(self.path(&entry.path))?;
        Ok(StagedFile { file, crc32: crc32fast::Hasher::new(), written: 0 })
    }

    /// Goes on with the file of an entry that was staged in part; its last 32 KiB come with it.
    ///
    /// `None` when what is staged is not what the checkpoint says.
    pub(super) fn reopen(&self, entry: &Entry, inside: &Inside) -> io::Result<Option<(StagedFile, Vec<u8>)>> {
        let mut file = OpenOptions::new().read(true).write(true).open(self.path(&entry.path))?;
        if file.metadata()?.len() < inside.produced {
            return Ok(None);
        }
        let crc32 = crc32_of(&mut (&mut file).take(inside.produced))?;
        if crc32.clone().finalize() != inside.crc32 {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(inside.produced.saturating_sub(WINDOW)))?;
        let mut window = Vec::new();
        (&mut file).take(inside.produced.min(WINDOW)).read_to_end(&mut window)?;
        file.set_len(inside.produced)?;
        file.seek(SeekFrom::Start(inside.produced))?;
        Ok(Some((StagedFile { file, crc32, written: inside.produced }, window)))
    }

    /// Reads the staged files of whole entries again; their times when all of them are what the directory says.
    pub(super) fn check(&self, entries: &[Entry], threads: usize, stop: &Stop) -> Option<Vec<i64>> {
        let times = Mutex::new(vec![0; entries.len()]);
        let next = std::sync::atomic::AtomicUsize::new(0);
        let intact = AtomicBool::new(true);
        let check = || {
            while intact.load(Ordering::Relaxed) && !stop.requested() {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(entry) = entries.get(at) else { break };
                match self.time_if_intact(entry) {
                    Some(time) => {
                        if let Ok(mut times) = times.lock() {
                            times[at] = time;
                        }
                    }
                    None => intact.store(false, Ordering::Relaxed),
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.min(entries.len()) {
                scope.spawn(check);
            }
            check();
        });
        if intact.into_inner() && !stop.requested() { times.into_inner().ok() } else { None }
    }

    /// The time of the entry's staged file (0 of a folder) when it is what the directory says.
    fn time_if_intact(&self, entry: &Entry) -> Option<i64> {
        let path = self.path(&entry.path);
        if entry.is_dir {
            return fs_err::symlink_metadata(path).ok()?.is_dir().then_some(0);
        }
        let mut file = File::open(path).ok()?;
        let metadata = file.metadata().ok()?;
        let same = metadata.is_file() && metadata.len() == entry.size;
        let intact = same && crc32_of(&mut file).ok()?.finalize() == entry.crc32;
        if intact { modified_of(&metadata) } else { None }
    }
}

impl StagedFile {
    /// Appends.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc32.update(bytes);
        self.written += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// How many bytes it has.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// The CRC-32 of these.
    pub(super) fn crc32(&self) -> u32 {
        self.crc32.clone().finalize()
    }

    /// Its modification time, as a look at the cache will see it.
    pub(super) fn modified(&self) -> io::Result<i64> {
        // Where the system keeps no times, every hit hashes.
        Ok(modified_of(&self.file.metadata()?).unwrap_or_default())
    }
}

fn crc32_of(reader: &mut dyn Read) -> io::Result<crc32fast::Hasher> {
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
