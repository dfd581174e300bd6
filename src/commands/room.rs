//! Whether what is to be installed finds room on the disk and in the length of paths, asked before anything is fetched.

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
    let size = |unpacked: &Unpacked<'_>| {
        unpacked.extent.as_ref().map_or_else(|_| unpacked.wheel.size.unwrap_or(0), |extent| extent.bytes)
    };
    let in_cache = |unpacked: &&Unpacked<'_>| unpacked.wheel.sha256.is_some_and(|sha256| cache.holds(&sha256));
    let unstaged = |unpacked: &Unpacked<'_>| size(unpacked).saturating_sub(wheel::staged_bytes(unpacked.wheel, cache));
    let to_cache = sum(unpacked.iter().filter(|unpacked| !in_cache(unpacked)).map(unstaged));
    let installed = sum(unpacked.iter().map(size));
    let needs = needs(to_cache, installed, cache_system.shares_room_with(&environment_system), link_mode);
    refuse(cache.dir(), "--cache-dir", needs.cache, cache_system.free)?;
    refuse(environment, "--venv", needs.environment, environment_system.free)
}

/// The longest path that Windows takes from programs which were not made for longer ones: `MAX_PATH` without its end.
///
/// <https://learn.microsoft.com/windows/win32/fileio/maximum-file-path-limitation>
const LONGEST_PATH: usize = 259;

/// Refuses a plan with a file whose path Python on Windows could not open.
pub(super) fn check_lengths(unpacked: &[Unpacked<'_>], site_packages: &Path) -> Result<(), CommandError> {
    check_lengths_of(
        unpacked.iter().filter_map(|unpacked| Some(&*unpacked.extent.as_ref().ok()?.longest_path)),
        site_packages,
    )
}

fn check_lengths_of<'a>(paths: impl Iterator<Item = &'a str>, site_packages: &Path) -> Result<(), CommandError> {
    let above = site_packages.to_string_lossy().encode_utf16().count() + 1;
    let Some((length, longest)) = paths.map(|path| (above + path.encode_utf16().count(), path)).max() else {
        return Ok(());
    };
    if length <= LONGEST_PATH {
        return Ok(());
    }
    let path = site_packages.join(longest.replace('/', "\\"));
    Err(CommandError::PathTooLong { path, length, limit: LONGEST_PATH, surplus: length - LONGEST_PATH })
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
    fn a_path_is_as_long_as_windows_counts_it() {
        let refused = |site: &str, path: &str| {
            check_lengths_of([path].into_iter(), Path::new(site)).err().map(|error| error.to_string())
        };
        let site = "C:\\v\\Lib\\site-packages";
        assert_eq!(refused(site, &"x".repeat(LONGEST_PATH - site.len() - 1)), None);
        assert_eq!(refused(site, &"\u{e4}".repeat(LONGEST_PATH - site.len() - 1)), None);
        let said = refused(site, &"x".repeat(LONGEST_PATH - site.len())).unwrap();
        assert!(said.contains("260 characters") && said.contains("259"), "{said}");
    }

    #[test]
    fn what_fits_exactly_fits() {
        let refused = |need| refuse(Path::new("/c"), "--venv", need, 5).is_err();
        assert_eq!((refused(5), refused(6)), (false, true));
    }
}
