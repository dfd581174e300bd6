//! Whether what is to be installed finds room, asked before anything is fetched.

use std::path::Path;

use super::error::CommandError;
use super::view::Unpacked;
use crate::install::LinkMode;
use crate::wheel::{self, Cache, FileSystem};

/// Refuses a plan whose files find no room in the cache, or as copies in the environment.
///
/// A wheel of unknown size counts with what is fetched, or with nothing: who cannot know does not refuse.
pub(super) fn check(
    unpacked: &[Unpacked<'_>],
    cache: &Cache,
    environment: &Path,
    link_mode: LinkMode,
) -> Result<(), CommandError> {
    let (Some(cache_system), Some(environment_system)) = (FileSystem::of(cache.dir()), FileSystem::of(environment))
    else {
        return Ok(());
    };
    let size = |unpacked: &Unpacked<'_>| *unpacked.bytes.as_ref().ok().or(unpacked.wheel.size.as_ref()).unwrap_or(&0);
    let in_cache = |unpacked: &&Unpacked<'_>| unpacked.wheel.sha256.is_some_and(|sha256| cache.holds(&sha256));
    let unstaged = |unpacked: &Unpacked<'_>| size(unpacked).saturating_sub(wheel::staged_bytes(unpacked.wheel, cache));
    let to_cache = sum(unpacked.iter().filter(|unpacked| !in_cache(unpacked)).map(unstaged));
    let installed = sum(unpacked.iter().map(size));
    let needs = needs(to_cache, installed, cache_system.shares_room_with(&environment_system), link_mode);
    refuse(cache.dir(), "--cache-dir", needs.cache, cache_system.free)?;
    refuse(environment, "--venv", needs.environment, environment_system.free)
}

/// What an index says of sizes may be anything.
fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

/// Bytes needed on either file system.
#[derive(Debug, PartialEq, Eq)]
struct Needs {
    cache: u64,
    environment: u64,
}

/// Files are copied where they are told to be, and between file systems; elsewhere a link takes no room.
fn needs(to_cache: u64, installed: u64, shared: bool, link_mode: LinkMode) -> Needs {
    match (shared, link_mode) {
        (true, LinkMode::Copy) => Needs { cache: to_cache.saturating_add(installed), environment: 0 },
        (true, _) => Needs { cache: to_cache, environment: 0 },
        (false, _) => Needs { cache: to_cache, environment: installed },
    }
}

fn refuse(path: &Path, option: &'static str, need: u64, free: u64) -> Result<(), CommandError> {
    if need > free { Err(CommandError::NoRoom { path: path.to_owned(), option, need, free }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_need_room_and_links_do_not() {
        let needs = |shared, mode| {
            let Needs { cache, environment } = needs(3, 10, shared, mode);
            (cache, environment)
        };
        assert_eq!(needs(true, LinkMode::Auto), (3, 0));
        assert_eq!(needs(true, LinkMode::Copy), (13, 0));
        assert_eq!(needs(false, LinkMode::Auto), (3, 10));
        assert_eq!(needs(false, LinkMode::Copy), (3, 10));
    }

    #[test]
    fn what_fits_exactly_fits() {
        let refused = |need| refuse(Path::new("/c"), "--venv", need, 5).is_err();
        assert_eq!((refused(5), refused(6)), (false, true));
    }
}
