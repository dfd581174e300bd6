//! All wheels of an installation: from the cache, or fetched, verified and unpacked into it.

use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::checkpoint::Checkpoint;
use super::hasher::Hasher;
use super::index_file::IndexFile;
use super::known::{self, Identity};
use super::lock::WheelLock;
use super::staging::Staging;
use super::unpack::{Begin, Unpacker};
use super::{Cache, UnpackedWheel, WheelError, judge, space};
use crate::fetch::{
    Client, Connections, FetchError, FetchOptions, RangeSource, Remote, Stop, WheelStream, identity_of,
};
use crate::lock::LockedWheel;
use crate::progress::{Reporter, TaskId};
use crate::vocab::Sha256;
use crate::zip::{CentralDirectory, ZipError};

/// How wheels are obtained; the defaults serve, tests make everything smaller.
#[derive(Debug, Clone)]
pub struct ObtainOptions {
    /// How downloads behave.
    pub fetch: FetchOptions,
    /// Wheels that are unpacked at the same time.
    pub unpackers: usize,
    /// Bytes of a wheel between two places from which a later run can go on.
    pub checkpoint: u64,
    /// Set when the user interrupts.
    pub interrupted: Arc<AtomicBool>,
}

impl Default for ObtainOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, NonZero::get);
        Self {
            fetch: FetchOptions::default(),
            // One more than cores: while one waits for its server, the others keep the cores busy.
            unpackers: cores.clamp(2, 8) + 1,
            checkpoint: 8 << 20,
            interrupted: Arc::default(),
        }
    }
}

/// Obtains every wheel, unpacked and verified, in the order given.
///
/// Largest first, several at a time. The first failure stops the others; what has arrived is kept for the next run.
pub fn obtain(
    wheels: &[LockedWheel],
    client: &Client,
    cache: &Cache,
    options: &ObtainOptions,
    reporter: &dyn Reporter,
) -> Result<Vec<UnpackedWheel>, WheelError> {
    let stop = Stop::when(Arc::clone(&options.interrupted));
    let mut results: Vec<Option<UnpackedWheel>> =
        wheels.iter().map(|wheel| cache.lookup(wheel.sha256.as_ref()?, &wheel.file_name, options.unpackers)).collect();
    let mut missing: Vec<usize> = (0..wheels.len()).filter(|index| results[*index].is_none()).collect();
    // The largest first: what ends last shall be small. One of unknown size may be the largest.
    missing.sort_by_key(|index| std::cmp::Reverse(wheels[*index].size.unwrap_or(u64::MAX)));
    if !missing.is_empty() {
        let sizes = missing.iter().map(|index| wheels[*index].size);
        let known: u64 = sizes.clone().flatten().sum();
        reporter.downloads_planned(missing.len(), sizes.sum());
        if let Some(free) = space::free(cache.dir()).filter(|free| *free < known) {
            return Err(WheelError::DiskFull { path: cache.dir().to_owned(), need: Some(known), free: Some(free) });
        }
        let connections = Connections::new(&options.fetch, &stop, reporter);
        let context = Context { client, cache, options, reporter, stop: &stop, connections: &connections };
        for (index, wheel) in context.obtain_all(wheels, &missing)? {
            results[index] = Some(wheel);
        }
    }
    if results.iter().any(Option::is_none) || options.interrupted.load(Ordering::Relaxed) {
        return Err(WheelError::Interrupted);
    }
    Ok(results.into_iter().flatten().collect())
}

/// Bytes that an earlier run left of a wheel that it did not finish.
pub fn staged_bytes(wheel: &LockedWheel, cache: &Cache) -> u64 {
    cache.staged_bytes(&key(wheel))
}

/// How a wheel was obtained.
enum Outcome {
    /// It was in the cache, under the hash that its URL is known for.
    Hit(UnpackedWheel),
    /// It is staged whole, and verified.
    Staged(IndexFile, Identity),
}

/// What every wheel of a run shares.
struct Context<'c, 'a> {
    client: &'a Client,
    cache: &'a Cache,
    options: &'a ObtainOptions,
    reporter: &'a dyn Reporter,
    stop: &'a Stop,
    connections: &'c Connections<'a>,
}

impl<'a> Context<'_, 'a> {
    fn obtain_all(&self, wheels: &[LockedWheel], missing: &[usize]) -> Result<Vec<(usize, UnpackedWheel)>, WheelError> {
        let queue = Mutex::new(missing.iter().copied());
        let done = Mutex::new(Vec::new());
        let failure = Mutex::new(None);
        let unpack = || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(index) = next.filter(|_| !self.stop.requested()) else { break };
                match self.obtain_one(&wheels[index]) {
                    Ok(wheel) => done.lock().unwrap_or_else(PoisonError::into_inner).push((index, wheel)),
                    Err(error) => {
                        // The first one; what others then say is only that they were stopped.
                        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        self.stop.fail();
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.options.fetch.connections.max(1) {
                scope.spawn(|| self.connections.serve());
            }
            let unpackers: Vec<_> =
                (0..self.options.unpackers.clamp(1, missing.len())).map(|_| scope.spawn(unpack)).collect();
            for unpacker in unpackers {
                if let Err(panic) = unpacker.join() {
                    self.connections.close();
                    std::panic::resume_unwind(panic);
                }
            }
            self.connections.close();
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    fn obtain_one(&self, wheel: &LockedWheel) -> Result<UnpackedWheel, WheelError> {
        let key = key(wheel);
        let waiting = || self.reporter.detail(&format!("waiting for another process that fetches {}", wheel.title()));
        let _lock = WheelLock::take(&self.cache.lock_path(&key), self.stop, waiting)?;
        if let Some(sha256) = &wheel.sha256
            && let Some(hit) = self.cache.lookup(sha256, &wheel.file_name, self.options.unpackers)
        {
            return Ok(hit);
        }
        let folder = self.cache.staging_folder(&key);
        let file_error = |error| WheelError::file(&wheel.file_name, &folder, wheel.size, error);
        let mut fetched = 0;
        let mut again = true;
        loop {
            let checkpoint = Checkpoint::read(&folder);
            let resumed = checkpoint.is_some();
            let mut staging = Staging::open(&folder).map_err(file_error)?;
            match self.attempt(wheel, &mut staging, checkpoint, &mut fetched) {
                Ok(unpacked) => return Ok(unpacked),
                Err(error) => {
                    let changed = matches!(&error, WheelError::Fetch { source, .. } if matches!(**source, FetchError::Changed { .. }));
                    if !changed && !error.is_of_bytes() {
                        return Err(error);
                    }
                    // What is staged is no good, or not of the file that the server has now.
                    self.cache.discard(&folder).map_err(file_error)?;
                    if !again || !(changed || resumed) {
                        return Err(error);
                    }
                    again = false;
                    self.reporter.detail(&format!("fetching {} from its begin: {error}", wheel.title()));
                }
            }
        }
    }

    fn attempt(
        &self,
        wheel: &LockedWheel,
        staging: &mut Staging,
        checkpoint: Option<Checkpoint>,
        fetched: &mut u64,
    ) -> Result<UnpackedWheel, WheelError> {
        let kept = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.offset);
        let task = self.reporter.download_started(&wheel.file_name, wheel.size, kept);
        let source: Arc<dyn RangeSource> = Arc::new(Remote::new(self.client, &wheel.url, &self.options.fetch.twins));
        let spool = staging.spool();
        let mut stream = WheelStream::open(self.connections, &source, wheel.size, task, &spool)
            .map_err(|source| WheelError::fetch(&wheel.file_name, staging.folder(), source))?;
        let result = self.unpack(wheel, staging, checkpoint, &mut stream);
        stream.stop();
        *fetched += stream.fetched();
        match result? {
            Outcome::Hit(hit) => {
                self.reporter.download_finished(task);
                // Nothing was staged but an empty folder.
                self.cache
                    .discard(staging.folder())
                    .map_err(|error| WheelError::file(&wheel.file_name, staging.folder(), None, error))?;
                Ok(UnpackedWheel { bytes_fetched: *fetched, ..hit })
            }
            Outcome::Staged(index, identity) => self.commit(wheel, staging, index, identity, *fetched, task),
        }
    }

    /// Everything of the wheel, staged and verified.
    fn unpack(
        &self,
        wheel: &LockedWheel,
        staging: &mut Staging,
        checkpoint: Option<Checkpoint>,
        stream: &mut WheelStream<'_, 'a>,
    ) -> Result<Outcome, WheelError> {
        let artifact = &wheel.file_name;
        let file_error = |staging: &Staging, error| WheelError::file(artifact, staging.folder(), wheel.size, error);
        let directory = match directory(stream, staging, wheel) {
            Ok(directory) => directory,
            Err(error) => return Err(self.blame_hash(wheel, stream, error)),
        };
        let (tail_offset, tail) = stream.tail();
        let start = usize::try_from(directory.offset - tail_offset).unwrap_or_default();
        let validator = stream.validator().map(ToString::to_string);
        let identity = (stream.size(), validator, Sha256::of(&tail[start..]));
        if wheel.sha256.is_none()
            && let Some(sha256) = known::recall(self.cache, &key(wheel), &identity)
            && let Some(hit) = self.cache.lookup(&sha256, artifact, self.options.unpackers)
        {
            return Ok(Outcome::Hit(hit));
        }
        let mut times = Vec::with_capacity(directory.entries.len());
        let begin = match self.begin(staging, &directory, &identity, checkpoint, &mut times) {
            Some(begin) => begin,
            None if self.stop.requested() => return Err(WheelError::Interrupted),
            None => {
                Checkpoint::remove(staging.folder()).map_err(|error| file_error(staging, error))?;
                Begin::Whole
            }
        };
        let staged: u64 = directory.entries.iter().take(times.len()).map(|entry| entry.size).sum();
        let need = directory.total_size - staged;
        if let Some(free) = space::free(staging.folder()).filter(|free| *free < need) {
            let path = staging.folder().to_owned();
            return Err(WheelError::DiskFull { path, need: Some(need), free: Some(free) });
        }
        let dist_info = match judge::dist_info(artifact, &directory) {
            Ok(name) => name,
            Err(error) => return Err(self.blame_hash(wheel, stream, error)),
        };
        let mut unpacker =
            Unpacker::new(artifact, stream, &directory, staging, identity.clone(), self.options.checkpoint)?;
        let result = unpacker.run(begin, &mut times);
        if let Err(error) = &result
            && error.is_of_bytes()
            && wheel.sha256.is_some()
        {
            // Are these the bytes that were meant? If not, that is what is wrong, and not the wheel as published.
            unpacker.drain()?;
        }
        let actual = unpacker.sha256();
        if result.as_ref().map_or_else(WheelError::is_of_bytes, |()| true)
            && let Some(expected) = wheel.sha256.filter(|expected| *expected != actual)
        {
            return Err(mismatch(wheel, expected, actual, stream.size()));
        }
        result?;
        if let Some(size) = wheel.size.filter(|size| *size != stream.size()) {
            let found = stream.size();
            self.reporter.warning(&format!("{artifact} has {found} bytes, the index says {size}"));
        }
        // A hash of the whole wheel covers every file; without one RECORD's hashes must.
        let hashes = wheel.sha256.is_none().then_some(self.options.unpackers);
        let files = judge::judge(artifact, &directory, &dist_info, staging, hashes)?;
        let modified = directory.entries.iter().zip(times).filter(|(entry, _)| !entry.is_dir);
        let modified = modified.map(|(_, time)| time).collect();
        Ok(Outcome::Staged(IndexFile { sha256: actual, dist_info, files, modified }, identity))
    }

    /// Where to go on: `None` at the begin.
    fn begin(
        &self,
        staging: &Staging,
        directory: &CentralDirectory,
        identity: &Identity,
        checkpoint: Option<Checkpoint>,
        times: &mut Vec<i64>,
    ) -> Option<Begin> {
        let (size, validator, digest) = identity;
        let checkpoint = checkpoint.filter(|checkpoint| checkpoint.is_of(*size, validator.as_deref(), *digest))?;
        let hasher = Hasher::restore(&checkpoint.hasher)?;
        let whole = directory.entries.get(..checkpoint.entries)?;
        let next = directory.entries.get(checkpoint.entries);
        let expected = next.map_or(directory.offset, |entry| entry.local_header_offset);
        let begin = match checkpoint.inside {
            None if checkpoint.offset == expected => Begin::At(checkpoint, hasher),
            None => return None,
            Some(inside) => {
                let entry = next?;
                let inside_entry = checkpoint.offset > expected
                    && checkpoint.offset <= inside.data_end
                    && inside.data_end <= entry.end
                    && inside.bits < 8
                    && !entry.is_dir;
                let (file, window) = staging.reopen(entry, &inside).ok().flatten().filter(|_| inside_entry)?;
                Begin::Inside(checkpoint, hasher, inside, file, window)
            }
        };
        *times = staging.check(whole, self.options.unpackers, self.stop)?;
        Some(begin)
    }

    /// An archive that cannot be read: the hash of its bytes says whether they are the ones that were meant.
    fn blame_hash(&self, wheel: &LockedWheel, stream: &mut WheelStream<'_, 'a>, error: WheelError) -> WheelError {
        let Some(expected) = wheel.sha256.filter(|_| error.is_of_bytes()) else { return error };
        let mut hasher = Hasher::default();
        stream.start(0);
        loop {
            let count = match stream.peek() {
                Ok([]) => break,
                Ok(bytes) => {
                    hasher.update(bytes);
                    bytes.len()
                }
                Err(source) => return WheelError::fetch(&wheel.file_name, self.cache.dir(), source),
            };
            stream.consume(count);
        }
        let actual = hasher.finish();
        if actual == expected { error } else { mismatch(wheel, expected, actual, stream.size()) }
    }

    fn commit(
        &self,
        wheel: &LockedWheel,
        staging: &Staging,
        index: IndexFile,
        identity: Identity,
        bytes_fetched: u64,
        task: TaskId,
    ) -> Result<UnpackedWheel, WheelError> {
        let sha256 = index.sha256;
        let commit = || {
            remove_if_there(&staging.spool())?;
            index.write(staging.folder())?;
            let folder = self.cache.commit(staging.folder(), &sha256)?;
            // Until the rename it was what a later run would have gone on from.
            Checkpoint::remove(&folder)?;
            if wheel.sha256.is_none() {
                known::note(self.cache, &key(wheel), identity, sha256)?;
            }
            Ok(folder)
        };
        let folder = commit().map_err(|error| WheelError::file(&wheel.file_name, staging.folder(), None, error))?;
        self.reporter.download_finished(task);
        Ok(UnpackedWheel {
            file_name: wheel.file_name.clone(),
            sha256,
            root: folder.join(super::cache::TREE),
            dist_info: index.dist_info,
            files: index.files,
            bytes_fetched,
        })
    }
}

/// The wheel's central directory, with as much of its end as that takes.
fn directory(
    stream: &mut WheelStream<'_, '_>,
    staging: &Staging,
    wheel: &LockedWheel,
) -> Result<CentralDirectory, WheelError> {
    let artifact = &wheel.file_name;
    let refuse = |source| WheelError::Zip { artifact: Box::new(artifact.clone()), source };
    loop {
        let (offset, tail) = stream.tail();
        match CentralDirectory::judge(tail, offset, stream.size()) {
            Ok(directory) => {
                let trouble = directory.trouble_on_windows().filter(|_| cfg!(windows));
                return trouble.map_or(Ok(directory), |source| Err(refuse(source)));
            }
            Err(ZipError::NeedMore { from }) if from < offset => {
                stream.extend_tail(from).map_err(|source| WheelError::fetch(artifact, staging.folder(), source))?;
            }
            Err(source) => return Err(refuse(source)),
        }
    }
}

fn mismatch(wheel: &LockedWheel, expected: Sha256, actual: Sha256, size: u64) -> WheelError {
    let sizes = wheel.size.filter(|expected| *expected != size).map(|expected| (expected, size));
    WheelError::HashMismatch { artifact: Box::new(wheel.file_name.clone()), expected, actual, sizes }
}

/// What a wheel's staging folder and lock are called.
fn key(wheel: &LockedWheel) -> String {
    match wheel.sha256 {
        Some(sha256) => sha256.to_string(),
        None => format!("url-{}", Sha256::of(identity_of(&wheel.url).as_bytes())),
    }
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
