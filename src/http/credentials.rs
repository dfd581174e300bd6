//! User names and passwords, each bound to the origin it was given for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::host::Host;
use crate::vocab::Url;

/// A user name and a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Option<String>,
}

/// Scheme, host and port: what a password given in a URL is good for.
type Origin = (String, String, Option<u16>);

/// All that is known of user names and passwords.
///
/// What stands in a URL comes first, then what an earlier URL of the same origin had, then netrc.
pub(super) struct Credentials {
    netrc_path: Option<PathBuf>,
    netrc: OnceLock<Option<netrc::Netrc>>,
    learned: Mutex<BTreeMap<Origin, Login>>,
    warnings: Mutex<Vec<String>>,
}

impl Credentials {
    pub(super) fn of(host: &Host) -> Self {
        let netrc_path = match host.variable("NETRC") {
            Some(path) => Some(host.absolute(path.as_ref())),
            None => host.home().map(|home| netrc_in(&home, cfg!(windows))),
        };
        Self { netrc_path, netrc: OnceLock::new(), learned: Mutex::default(), warnings: Mutex::default() }
    }

    /// Keeps the user name and password of a URL for later requests to the same origin.
    pub(super) fn learn(&self, url: &Url) {
        if let (Some(origin), Some(login)) = (origin(url), login(url)) {
            self.learned.lock().unwrap_or_else(PoisonError::into_inner).insert(origin, login);
        }
    }

    /// What a request to `url` is sent with.
    pub(super) fn for_url(&self, url: &Url) -> Option<Login> {
        if let Some(login) = login(url) {
            return Some(login);
        }
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(login) = learned.get(&origin(url)?) {
            return Some(login.clone());
        }
        let hosts = &self.netrc.get_or_init(|| self.read_netrc()).as_ref()?.hosts;
        // `default` is not taken: a password for any host is one for every host a page links to.
        let entry = hosts.get(url.host_str()?)?;
        Some(Login { user: entry.login.clone(), password: Some(entry.password.clone()) })
    }

    /// What was wrong with netrc; each is given out once.
    pub(super) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn read_netrc(&self) -> Option<netrc::Netrc> {
        let path = self.netrc_path.as_ref()?;
        let warn = |reason: String| {
            self.warnings
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(format!("`{}` is passed over: {reason}", path.display()));
        };
        let bytes = match fs_err::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                warn(error.kind().to_string());
                return None;
            }
        };
        match String::from_utf8_lossy(&bytes).parse() {
            Ok(netrc) => Some(netrc),
            Err(error) => {
                // The parser's message may quote the token it stumbled over, and that may be a password.
                let error: netrc::Error = netrc::Error::Parsing { parser: error, filename: String::new() };
                let text = error.to_string();
                let line = text.rsplit_once("(line ").and_then(|(_, rest)| rest.split_once(')')).map(|(line, _)| line);
                warn(format!("line {} is not as netrc has it", line.unwrap_or("?")));
                None
            }
        }
    }
}

/// The netrc of a home directory; on Windows under either name, the first as pip takes them.
fn netrc_in(home: &Path, windows: bool) -> PathBuf {
    let (common, other) = (home.join(".netrc"), home.join("_netrc"));
    if windows && !common.exists() { other } else { common }
}

/// A URL as messages show it: a user name or password in it becomes `****`.
pub fn redacted(url: &Url) -> String {
    if login(url).is_none() {
        return url.to_string();
    }
    let mut url = url.clone();
    // Both fail only on URLs that cannot have credentials.
    let _ = url.set_username("****");
    let _ = url.set_password(None);
    url.to_string()
}

/// Whether two URLs have scheme, host and port in common.
pub(super) fn same_origin(one: &Url, other: &Url) -> bool {
    origin(one).is_some() && origin(one) == origin(other)
}

fn origin(url: &Url) -> Option<Origin> {
    Some((url.scheme().to_owned(), url.host_str()?.to_owned(), url.port_or_known_default()))
}

fn login(url: &Url) -> Option<Login> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    Some(Login { user: percent_decoded(url.username()), password: url.password().map(percent_decoded) })
}

/// `%40` is `@`; what is no such escape stays.
pub(crate) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        let escaped = bytes.get(position + 1..position + 3).filter(|_| byte == b'%').and_then(hexadecimal);
        decoded.push(escaped.unwrap_or(byte));
        position += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digits = digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)?;
    u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn credentials(netrc: &str) -> (tempfile::TempDir, Credentials) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("netrc");
        fs_err::write(&path, netrc).unwrap();
        let host = Host::with(folder.path(), folder.path(), &[("NETRC", path.to_str().unwrap())]);
        (folder, Credentials::of(&host))
    }

    #[test]
    fn messages_never_show_a_password() {
        assert_eq!(redacted(&url("https://me:secret@a.example/simple/")), "https://****@a.example/simple/");
        assert_eq!(redacted(&url("https://token@a.example/")), "https://****@a.example/");
        assert_eq!(redacted(&url("https://a.example/x")), "https://a.example/x");
    }

    #[test]
    fn the_url_comes_before_what_was_learned_and_netrc_comes_last() {
        let (_folder, credentials) = credentials("machine a.example login n password netrc-secret\n");
        let user = |text| credentials.for_url(&url(text)).map(|login| login.user);
        assert_eq!(user("https://a.example/").as_deref(), Some("n"));
        credentials.learn(&url("https://l%40x:p@a.example/"));
        assert_eq!(user("https://a.example/file").as_deref(), Some("l@x"));
        assert_eq!(user("https://u:p@a.example/file").as_deref(), Some("u"));
        assert_eq!(user("https://a.example:8443/file").as_deref(), Some("n"), "another port is another origin");
        assert_eq!(user("https://b.example/"), None);
    }

    #[test]
    fn a_broken_netrc_warns_and_keeps_its_secrets() {
        let (_folder, credentials) = credentials("machine a.example login n pasword hunter2\n");
        assert!(credentials.for_url(&url("https://a.example/")).is_none());
        let warnings = credentials.take_warnings();
        assert_eq!(warnings.len(), 1);
        assert!(!warnings[0].contains("hunter2"), "{warnings:?}");
        assert!(credentials.take_warnings().is_empty());
    }

    #[test]
    fn on_windows_netrc_has_two_names() {
        let folder = tempfile::tempdir().unwrap();
        let name = |windows| netrc_in(folder.path(), windows).file_name().unwrap().to_owned();
        assert_eq!((name(false), name(true)), (".netrc".into(), "_netrc".into()));
        fs_err::write(folder.path().join("_netrc"), "").unwrap();
        assert_eq!((name(false), name(true)), (".netrc".into(), "_netrc".into()));
        fs_err::write(folder.path().join(".netrc"), "").unwrap();
        assert_eq!((name(false), name(true)), (".netrc".into(), ".netrc".into()));
    }
}
