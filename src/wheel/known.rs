//! What wheels that no index gave a hash for turned out to be, by their URL.

use std::io;

use serde::{Deserialize, Serialize};

use super::Cache;
use crate::vocab::Sha256;

/// A wheel as its server tells it from others: size, validator, and the hash of its tail from the directory on.
///
/// The directory holds the CRC-32 and the sizes of all files, so another wheel of the same name does not pass for it.
pub(super) type Identity = (u64, Option<String>, Sha256);

/// What was found under a URL.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    size: u64,
    validator: Option<String>,
    directory: Sha256,
    sha256: Sha256,
}

/// The hash of the whole wheel under this key, if the wheel there is still the same.
pub(super) fn recall(cache: &Cache, key: &str, identity: &Identity) -> Option<Sha256> {
    let known: Known = serde_json::from_slice(&fs_err::read(cache.known_path(key)).ok()?).ok()?;
    let (size, validator, directory) = identity;
    let same = known.size == *size && known.validator == *validator && known.directory == *directory;
    same.then_some(known.sha256)
}

/// Notes the hash that the whole wheel under this key was found to have.
pub(super) fn note(cache: &Cache, key: &str, identity: Identity, sha256: Sha256) -> io::Result<()> {
    let (size, validator, directory) = identity;
    let path = cache.known_path(key);
    let new = path.with_extension("new");
    fs_err::write(&new, serde_json::to_vec(&Known { size, validator, directory, sha256 })?)?;
    fs_err::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_wheel_is_recalled() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let (sha256, directory) = (Sha256::of(b"wheel"), Sha256::of(b"directory"));
        let identity = (7, Some("\"tag\"".to_owned()), directory);
        assert_eq!(recall(&cache, "url-1", &identity), None);
        note(&cache, "url-1", identity.clone(), sha256).unwrap();
        assert_eq!(recall(&cache, "url-1", &identity), Some(sha256));
        assert_eq!(recall(&cache, "url-1", &(8, identity.1.clone(), directory)), None);
        assert_eq!(recall(&cache, "url-1", &(7, None, directory)), None);
        assert_eq!(recall(&cache, "url-1", &(7, identity.1.clone(), sha256)), None);
        fs_err::write(cache.known_path("url-1"), "{}").unwrap();
        assert_eq!(recall(&cache, "url-1", &identity), None);
    }
}
