//! Many files from the cache into an environment, on all cores.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::num::NonZero;
use std::path::Path;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use super::InstallError;
use super::wheel_layout::Content;
use crate::host::is_in_use;

/// How files come from the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkMode {
    /// The first of the others that the file system can do.
    #[default]
    Auto,
    /// Copies that share their blocks until one is written.
    Reflink,
    /// Hard links: one file under two names.
    Hardlink,
    /// Copies.
    Copy,
}

impl fmt::Display for LinkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Reflink => "reflink",
            Self::Hardlink => "hardlink",
            Self::Copy => "copy",
        })
    }
}

/// A string that is no link mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of auto, reflink, hardlink, copy")]
pub struct ParseLinkModeError(String);

impl FromStr for LinkMode {
    type Err = ParseLinkModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Auto, Self::Reflink, Self::Hardlink, Self::Copy]
            .into_iter()
            .find(|mode| mode.to_string() == text)
            .ok_or_else(|| ParseLinkModeError(text.chars().take(40).collect()))
    }
}

/// One file to be made.
#[derive(Debug)]
pub struct Job<'a> {
    /// The unpacked wheel.
    pub source_root: &'a Path,
    /// Where its bytes come from.
    pub content: &'a Content,
    /// Where it goes, relative to the folder that is filled.
    pub path: &'a str,
    /// Whether it is executable.
    pub executable: bool,
}

/// Makes every file below `root`, which exists; says by what means the linked ones came in the end.
pub fn make_files(
    root: &Path,
    jobs: &[Job<'_>],
    mode: LinkMode,
    interrupted: &AtomicBool,
) -> Result<LinkMode, InstallError> {
    make_folders(root, jobs)?;
    let linker = Linker::new(mode);
    // Neighbours in a batch share their folder, whose lock the kernel takes for every new name.
    let batch = 64;
    let threads =
        std::thread::available_parallelism().map_or(1, NonZero::get).min(8).min(jobs.len().div_ceil(batch).max(1));
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<InstallError>> = Mutex::new(None);
    let failed = AtomicBool::new(false);
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let start = next.fetch_add(batch, Ordering::Relaxed);
            let Some(rest) = jobs.get(start..).filter(|rest| !rest.is_empty()) else { return };
            let done = if interrupted.load(Ordering::Relaxed) {
                Err(InstallError::Interrupted)
            } else {
                rest.iter().take(batch).try_for_each(|job| linker.make(root, job)).map_err(InstallError::from)
            };
            if let Err(error) = done {
                failed.store(true, Ordering::Relaxed);
                failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    match failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(linker.mode()),
    }
}

/// Makes each folder once, parents first.
fn make_folders(root: &Path, jobs: &[Job<'_>]) -> io::Result<()> {
    let mut folders: BTreeSet<&str> = BTreeSet::new();
    for job in jobs {
        let mut path = job.path;
        while let Some((folder, _)) = path.rsplit_once('/') {
            if !folders.insert(folder) {
                break;
            }
            path = folder;
        }
    }
    for folder in folders {
        match fs_err::create_dir(root.join(folder)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Links by the best means that has worked so far.
struct Linker {
    mode: AtomicU8,
}

const REFLINK: u8 = 0;
const HARDLINK: u8 = 1;
const COPY: u8 = 2;

impl Linker {
    fn new(mode: LinkMode) -> Self {
        Self {
            mode: AtomicU8::new(match mode {
                LinkMode::Auto | LinkMode::Reflink => REFLINK,
                LinkMode::Hardlink => HARDLINK,
                LinkMode::Copy => COPY,
            }),
        }
    }

    fn mode(&self) -> LinkMode {
        match self.mode.load(Ordering::Relaxed) {
            REFLINK => LinkMode::Reflink,
            HARDLINK => LinkMode::Hardlink,
            _ => LinkMode::Copy,
        }
    }

    fn make(&self, root: &Path, job: &Job<'_>) -> io::Result<()> {
        let target = root.join(job.path);
        match job.content {
            Content::Linked(source) => self.link(&job.source_root.join(source), &target, job.executable),
            Content::Copied(source) => {
                fs_err::copy(job.source_root.join(source), &target)?;
                set_executable(&target, job.executable)
            }
            Content::Generated(bytes) => {
                fs_err::write(&target, bytes)?;
                if job.executable { set_executable(&target, true) } else { Ok(()) }
            }
        }
    }

    fn link(&self, source: &Path, target: &Path, executable: bool) -> io::Result<()> {
        if self.mode.load(Ordering::Relaxed) == REFLINK {
            match reflink_copy::reflink(source, target) {
                Ok(()) => return if executable { set_executable(target, true) } else { Ok(()) },
                Err(_) => self.give_up(REFLINK, target)?,
            }
        }
        if self.mode.load(Ordering::Relaxed) == HARDLINK {
            match fs_err::hard_link(source, target) {
                Ok(()) => return Ok(()),
                // One file with too many names says nothing of the others.
                Err(error) if error.kind() == io::ErrorKind::TooManyLinks => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Err(error),
                Err(_) => self.give_up(HARDLINK, target)?,
            }
        }
        fs_err::copy(source, target).map(drop)
    }

    /// Goes on to the next means, for all files to come; a real obstacle meets that one too, and is said then.
    fn give_up(&self, mode: u8, target: &Path) -> io::Result<()> {
        // The outcome tells only whether another thread was first.
        let _ = self.mode.compare_exchange(mode, mode + 1, Ordering::Relaxed, Ordering::Relaxed);
        match fs_err::remove_file(target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Gives `source` a second name; `false` where the file system has no links and copies are not asked for.
pub fn give_second_name(source: &Path, target: &Path, mode: LinkMode) -> io::Result<bool> {
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
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StorageFull) => Err(error),
        Err(error) if is_in_use(&error) => Err(error),
        Err(_) => Ok(false),
    }
}

#[cfg(unix)]
fn set_executable(path: &Path, executable: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs_err::metadata(path)?.permissions().mode();
    // Whoever may read it may run it.
    let wanted = if executable { mode | (mode & 0o444) >> 2 } else { mode & !0o111 };
    if wanted == mode { Ok(()) } else { fs_err::set_permissions(path, std::fs::Permissions::from_mode(wanted)) }
}

#[cfg(not(unix))]
fn set_executable(_path: &Path, _executable: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn files_come_with_their_modes_by_every_means() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        fs_err::create_dir(&cache).unwrap();
        fs_err::write(cache.join("plain"), "plain").unwrap();
        fs_err::write(cache.join("program"), "program").unwrap();
        fs_err::set_permissions(cache.join("program"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let contents = [
            Content::Linked("plain".into()),
            Content::Linked("program".into()),
            Content::Copied("plain".into()),
            Content::Generated(b"x".to_vec()),
        ];
        for mode in [LinkMode::Auto, LinkMode::Hardlink, LinkMode::Copy] {
            let root = folder.path().join(mode.to_string());
            fs_err::create_dir(&root).unwrap();
            let paths = ["a/b/plain", "a/program", "a/b/c/copied", "made"];
            let jobs: Vec<_> = paths
                .into_iter()
                .zip(&contents)
                .enumerate()
                .map(|(index, (path, content))| Job { source_root: &cache, content, path, executable: index > 0 })
                .collect();
            let used = make_files(&root, &jobs, mode, &AtomicBool::new(false)).unwrap();
            assert_ne!(used, LinkMode::Auto);
            let modes = paths.map(|path| fs_err::metadata(root.join(path)).unwrap().permissions().mode() & 0o111 != 0);
            assert_eq!(modes, [false, true, true, true], "{mode}");
            let inode = |path: &Path| fs_err::metadata(path).unwrap().ino();
            let shared = inode(&cache.join("plain")) == inode(&root.join("a/b/plain"));
            assert_eq!(shared, used == LinkMode::Hardlink, "{mode}");
            assert_ne!(inode(&cache.join("plain")), inode(&root.join("a/b/c/copied")));
        }
        let interrupted = make_files(
            folder.path(),
            &[Job { source_root: &cache, content: &contents[0], path: "z", executable: false }],
            LinkMode::Copy,
            &AtomicBool::new(true),
        );
        assert!(matches!(interrupted, Err(InstallError::Interrupted)));
    }

    #[test]
    fn what_is_missing_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content::Linked("gone".into());
        let jobs = [Job { source_root: folder.path(), content: &content, path: "x", executable: false }];
        let error = make_files(folder.path(), &jobs, LinkMode::Auto, &AtomicBool::new(false)).unwrap_err();
        assert!(matches!(&error, InstallError::Io(source) if source.to_string().contains("gone")), "{error:?}");
    }

    #[test]
    fn modes_are_read_as_they_are_written() {
        assert_eq!("hardlink".parse(), Ok(LinkMode::Hardlink));
        assert!("symlink".parse::<LinkMode>().is_err());
    }
}
