//! What every command starts from.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::{Color, GlobalArgs};
use crate::host::Host;
use crate::report::Output;
use crate::variables;
use crate::vocab::{Diagnostic, ExitStatus};

/// The surroundings, the streams, and the folders of one run.
pub(super) struct Session {
    pub host: Host,
    pub output: Output,
    pub offline: bool,
    /// Set by Ctrl-C: what runs stops at its next safe point and rolls back.
    pub interrupted: Arc<AtomicBool>,
    cache_dir: Option<PathBuf>,
}

impl Session {
    pub fn new(global: GlobalArgs, host: Host) -> Self {
        match global.color {
            Color::Always => anstream::ColorChoice::Always.write_global(),
            Color::Never => anstream::ColorChoice::Never.write_global(),
            Color::Auto if host.variable(variables::NO_COLOR).is_some() => anstream::ColorChoice::Never.write_global(),
            Color::Auto => {}
        }
        let output = super::output(&global, &host);
        let offline = global.offline || host.variable(variables::OFFLINE).is_some();
        let cache_dir = global.cache_dir.map(|dir| host.absolute(&dir)).or_else(|| default_cache_dir(&host));
        Self { host, output, offline, interrupted: Arc::default(), cache_dir }
    }

    /// The folder of everything kept between runs.
    pub fn cache_dir(&self) -> Result<&std::path::Path, NoCacheDir> {
        self.cache_dir.as_deref().ok_or(NoCacheDir)
    }

    /// From now on Ctrl-C and SIGTERM ask for a rollback; a second one ends the process at once.
    pub fn catch_interrupts(&self) {
        let interrupted = Arc::clone(&self.interrupted);
        let caught = ctrlc::set_handler(move || {
            if interrupted.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(ExitStatus::Interrupted as u8));
            }
        });
        if let Err(error) = caught {
            self.output.detail(&format!("Ctrl-C cannot be caught: {error}"));
        }
    }
}

/// `--cache-dir` is handled by the caller; this is what holds without it.
fn default_cache_dir(host: &Host) -> Option<PathBuf> {
    if let Some(dir) = host.variable(variables::CACHE_DIR) {
        return Some(host.absolute(dir.as_ref()));
    }
    if cfg!(windows) {
        return host.variable(variables::LOCALAPPDATA).map(|dir| PathBuf::from(dir).join("torchfix").join("cache"));
    }
    // The XDG specification says to pass over relative paths.
    let xdg = host.variable(variables::XDG_CACHE_HOME).map(PathBuf::from).filter(|path| path.is_absolute());
    xdg.or_else(|| Some(host.home()?.join(".cache"))).map(|dir| dir.join("torchfix"))
}

/// There is no folder to keep anything in. Code `cache.no-folder`, exit 30.
#[derive(Debug, thiserror::Error)]
#[error("no cache folder: neither the home folder nor a cache folder is set")]
pub(super) struct NoCacheDir;

impl Diagnostic for NoCacheDir {
    fn code(&self) -> &'static str {
        "cache.no-folder"
    }

    fn exit_status(&self) -> ExitStatus {
        ExitStatus::FileSystem
    }

    fn hints(&self) -> Vec<String> {
        vec![format!("name one: `--cache-dir DIR`, or the variable {}", variables::CACHE_DIR)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    #[cfg(unix)]
    fn the_cache_folder_by_order_of_settings() {
        let dir =
            |variables: &[(&str, &str)]| default_cache_dir(&Host::with(Path::new("/"), Path::new("/here"), variables));
        assert_eq!(
            dir(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x"), ("TORCHFIX_CACHE_DIR", "c")]),
            Some("/here/c".into())
        );
        assert_eq!(dir(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), Some("/x/torchfix".into()));
        assert_eq!(dir(&[("HOME", "/h"), ("XDG_CACHE_HOME", "relative")]), Some("/h/.cache/torchfix".into()));
        assert_eq!(dir(&[]), None);
    }
}
