//! A staged wheel, held against its own RECORD.

use std::str::FromStr as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::record::{Record, RecordError, RecordHash};
use super::staging::Staging;
use super::{UnpackedFile, WheelError};
use crate::vocab::{PackageName, Version, WheelName};
use crate::zip::{CentralDirectory, Entry};

/// RECORD of the largest known wheel has 1.5 MB.
const MAX_RECORD: u64 = 64 << 20;

/// The name of the wheel's metadata folder: the only one there is, and of the distribution that the file name says.
pub(super) fn dist_info(artifact: &WheelName, directory: &CentralDirectory) -> Result<String, WheelError> {
    let refuse = |reason: String| WheelError::DistInfo { artifact: Box::new(artifact.clone()), reason };
    let mut found: Option<&str> = None;
    for entry in &directory.entries {
        let top = entry.path.split('/').next().unwrap_or_default();
        if top.ends_with(".dist-info") && found != Some(top) {
            if let Some(other) = found {
                return Err(refuse(format!("it has both `{other}` and `{top}`")));
            }
            found = Some(top);
        }
    }
    let name = found.ok_or_else(|| refuse("it has no `.dist-info` folder".to_owned()))?;
    let agrees =
        name.strip_suffix(".dist-info").and_then(|stem| stem.rsplit_once('-')).is_some_and(|(project, version)| {
            PackageName::from_str(project).is_ok_and(|project| project == artifact.name)
                && Version::from_str(version).is_ok_and(|version| version == artifact.version)
        });
    if agrees { Ok(name.to_owned()) } else { Err(refuse(format!("its metadata folder is `{name}`"))) }
}

/// Holds the staged files against RECORD: names and sizes, and with `hashes` the contents of every file.
pub(super) fn judge(
    artifact: &WheelName,
    directory: &CentralDirectory,
    dist_info: &str,
    staging: &Staging,
    hashes: Option<usize>,
) -> Result<Vec<UnpackedFile>, WheelError> {
    let refuse = |source| WheelError::Record { artifact: Box::new(artifact.clone()), source };
    let file_error = |error| WheelError::file(artifact, staging.folder(), None, error);
    let record_path = format!("{dist_info}/RECORD");
    let entries: Vec<&Entry> = directory.entries.iter().filter(|entry| !entry.is_dir).collect();
    let record = entries.iter().find(|entry| entry.path == record_path).ok_or_else(|| refuse(RecordError::Missing))?;
    if record.size > MAX_RECORD {
        return Err(refuse(RecordError::Invalid { line: 0, reason: "it is larger than 64 MiB" }));
    }
    let bytes = fs_err::read(staging.path(&record_path)).map_err(file_error)?;
    let sizes: Vec<(&str, u64)> = entries.iter().map(|entry| (entry.path.as_str(), entry.size)).collect();
    let folders: Vec<&str> =
        directory.entries.iter().filter(|entry| entry.is_dir).map(|entry| entry.path.as_str()).collect();
    let found =
        Record::parse(&bytes).and_then(|record| record.judge(&sizes, &folders, &record_path)).map_err(refuse)?;
    if let Some(threads) = hashes {
        hash_all(artifact, &entries, &found, staging, threads)?;
    }
    let files = entries.iter().zip(found).map(|(entry, hash)| UnpackedFile {
        path: entry.path.clone(),
        size: entry.size,
        executable: entry.executable,
        record_hash: hash.map(|hash| hash.to_string()).unwrap_or_default(),
    });
    Ok(files.collect())
}

fn hash_all(
    artifact: &WheelName,
    entries: &[&Entry],
    hashes: &[Option<RecordHash>],
    staging: &Staging,
    threads: usize,
) -> Result<(), WheelError> {
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let check = || {
        while let Some((entry, hash)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            entries.get(at).zip(hashes.get(at))
        } {
            let Some(hash) = hash else { continue };
            let matches = fs_err::File::open(staging.path(&entry.path)).and_then(|mut file| hash.matches(&mut file));
            let error = match matches {
                Ok(true) => continue,
                Ok(false) => WheelError::Record {
                    artifact: Box::new(artifact.clone()),
                    source: RecordError::Hash(entry.path.clone()),
                },
                Err(error) => WheelError::file(artifact, staging.folder(), None, error),
            };
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            next.store(entries.len(), Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(entries.len()) {
            scope.spawn(check);
        }
        check();
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
