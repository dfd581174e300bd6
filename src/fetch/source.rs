//! Where ranges come from: a server, or a file on this machine.

use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::FetchError;
use crate::http::{ByteRange, Client, HttpError, Span, Validator, redacted, without_credentials};
use crate::vocab::Url;

/// Something that hands out ranges of one file.
pub trait RangeSource: Send + Sync {
    /// The file from `range` on, with the span it really is.
    fn read(&self, range: ByteRange, if_range: Option<&Validator>) -> Result<Reply<'_>, FetchError>;

    /// Where it comes from, for messages: no credentials in it.
    fn title(&self) -> String;

    /// Goes on with another host after `error`, where there is one that was not tried.
    fn fail_over(&self, _error: &FetchError) -> bool {
        false
    }
}

/// What tells a URL from others whoever asks: without credentials.
pub fn identity_of(url: &Url) -> String {
    without_credentials(url).to_string()
}

/// An answer to a range.
pub struct Reply<'a> {
    /// What part of the file the body is.
    pub span: Span,
    /// What a later answer can be held against.
    pub validator: Option<Validator>,
    /// The bytes, as they arrive.
    pub body: Box<dyn Read + 'a>,
}

/// A file at a URL, and at the same path on another host where there is one.
pub struct Remote<'a> {
    client: &'a Client,
    url: Url,
    alternate: Option<Url>,
    on_alternate: AtomicBool,
}

impl<'a> Remote<'a> {
    /// The file at `url`; `hosts` are pairs of hosts that hold the same files.
    pub fn new(client: &'a Client, url: &Url, hosts: &[(String, String)]) -> Self {
        let other = url.host_str().and_then(|host| {
            hosts.iter().find_map(|(one, other)| match host {
                _ if host == one => Some(other),
                _ if host == other => Some(one),
                _ => None,
            })
        });
        let alternate = other.and_then(|host| {
            let mut alternate = url.clone();
            alternate.set_host(Some(host)).ok()?;
            Some(alternate)
        });
        Self { client, url: url.clone(), alternate, on_alternate: AtomicBool::new(false) }
    }

    fn current(&self) -> &Url {
        self.alternate.as_ref().filter(|_| self.on_alternate.load(Ordering::Relaxed)).unwrap_or(&self.url)
    }
}

impl RangeSource for Remote<'_> {
    fn read(&self, range: ByteRange, if_range: Option<&Validator>) -> Result<Reply<'_>, FetchError> {
        let body = self.client.range(self.current(), range, if_range)?;
        Ok(Reply { span: body.span, validator: body.validator.clone(), body: Box::new(body) })
    }

    fn title(&self) -> String {
        redacted(self.current())
    }

    fn fail_over(&self, error: &FetchError) -> bool {
        let FetchError::Http(error) = error else { return false };
        let elsewhere =
            error.is_unreachable() || error.status().is_some_and(|status| matches!(status, 403 | 404 | 500..));
        elsewhere && self.alternate.is_some() && !self.on_alternate.swap(true, Ordering::Relaxed)
    }
}

/// A file on this machine: a wheel that a server could not send in ranges.
pub struct LocalFile {
    path: PathBuf,
}

impl LocalFile {
    /// The file at `path`.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }
}

impl RangeSource for LocalFile {
    fn read(&self, range: ByteRange, _if_range: Option<&Validator>) -> Result<Reply<'_>, FetchError> {
        let failed = |source: io::Error| FetchError::Spool { path: self.path.clone(), source };
        let mut file = fs_err::File::open(&self.path).map_err(failed)?;
        let total = file.metadata().map_err(failed)?.len();
        let (first, end) = match range {
            ByteRange::Span { first, end } => (first, end.min(total)),
            ByteRange::Last(count) => (total.saturating_sub(count), total),
            ByteRange::From(first) => (first, total),
        };
        file.seek(SeekFrom::Start(first)).map_err(failed)?;
        let span = Span::Part { first, end, total };
        Ok(Reply { span, validator: None, body: Box::new(file.take(end.saturating_sub(first))) })
    }

    fn title(&self) -> String {
        self.path.display().to_string()
    }
}

impl FetchError {
    /// Whether asking again could help; the HTTP client has done its own retries by then.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Http(error) => matches!(error, HttpError::WrongRange { .. } | HttpError::Broken { .. }),
            Self::Broken { .. } => true,
            Self::Changed { .. } | Self::TailTooLarge { .. } | Self::Spool { .. } | Self::Interrupted => false,
        }
    }
}
