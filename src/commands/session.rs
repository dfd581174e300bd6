//! What every command starts from.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::CommandError;
use crate::catalog::Manifests;
use crate::cli::{Color, GlobalArgs};
use crate::error::Error;
use crate::host::Host;
use crate::http;
use crate::report::{self, Output};
use crate::variables;
use crate::vocab::ExitStatus;

/// The surroundings, the streams, and the folders of one run.
pub(super) struct Session {
    pub host: Host,
    pub output: Output,
    pub offline: bool,
    /// Set by Ctrl-C while an environment is changed: the change stops at its next safe point and is rolled back.
    pub interrupted: Arc<AtomicBool>,
    changing: Arc<AtomicBool>,
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
        Self { host, output, offline, interrupted: Arc::default(), changing: Arc::default(), cache_dir }
    }

    /// The folder of everything kept between runs.
    pub fn cache_dir(&self) -> Result<&Path, CommandError> {
        self.cache_dir.as_deref().ok_or(CommandError::NoCacheFolder)
    }

    /// The manifests: those of the flag, else of the variable, else the embedded ones.
    pub fn manifests(&self, folder: Option<&Path>) -> Result<Cow<'static, Manifests>, Error> {
        Ok(match self.manifests_folder(folder) {
            Some(folder) => Cow::Owned(Manifests::load(&folder)?),
            None => Cow::Borrowed(Manifests::embedded()),
        })
    }

    /// The folder of the manifests: that of the flag, else of the variable, else none.
    pub fn manifests_folder(&self, folder: Option<&Path>) -> Option<PathBuf> {
        let named = folder.map(Path::to_owned).or_else(|| self.host.variable(variables::MANIFESTS).map(PathBuf::from));
        named.map(|folder| self.host.absolute(&folder))
    }

    /// The one client of the run; nothing is opened before the first request.
    pub fn client(&self) -> Result<http::Client, Error> {
        let options = http::Options { offline: self.offline, ..http::Options::of(&self.host)? };
        Ok(http::Client::new(&self.host, options)?)
    }

    /// From now on Ctrl-C and SIGTERM end the process with 130: at once where there is nothing to take back, else after
    /// the rollback. A second one ends it at once wherever it is; the next run then rolls back.
    pub fn catch_interrupts(&self) {
        let (interrupted, changing, output) = (Arc::clone(&self.interrupted), Arc::clone(&self.changing), self.output);
        let caught = ctrlc::set_handler(move || {
            if interrupted.swap(true, Ordering::SeqCst) || !changing.load(Ordering::SeqCst) {
                report::failure(output, &CommandError::Interrupted.into());
                std::process::exit(i32::from(ExitStatus::Interrupted as u8));
            }
        });
        if let Err(error) = caught {
            self.output.detail(&format!("Ctrl-C cannot be caught: {error}"));
        }
    }

    /// An environment is being changed as long as the guard lives.
    pub fn changing(&self) -> Changing<'_> {
        self.changing.store(true, Ordering::SeqCst);
        Changing(&self.changing)
    }
}

/// An environment is being changed.
pub(super) struct Changing<'a>(&'a AtomicBool);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(windows)]
    fn the_cache_folder_of_windows() {
        let folder = |variables: &[(&str, &str)]| {
            default_cache_dir(&Host::with(Path::new(r"C:\"), Path::new(r"C:\here"), variables))
        };
        assert_eq!(folder(&[("LocalAppData", r"C:\local")]), Some(r"C:\local\torchfix\cache".into()));
        assert_eq!(folder(&[]), None);
    }

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
