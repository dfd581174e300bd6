//! Where ranges come from: a server, or a file on this machine.

use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::FetchError;
use crate::http::{ByteRange, Client, HttpError, Span, TwinHosts, Validator, redacted};
use crate::vocab::{Url, without_credentials};

/// Something that hands out ranges of one file.
pub trait RangeSource: Send + Sync {
    /// The file from `range` on, with the span it really is.
    fn read(&self, range: ByteRange, if_range: Option<&Validator>) -> Result<Reply<'_>, FetchError>;

    /// Where it comes from, for messages: no credentials in it.
    fn title(&self) -> String;
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
    twins: TwinHosts,
    /// On the host that answered last.
    url: Mutex<Url>,
}

impl<'a> Remote<'a> {
    /// The file at `url`; its host's twins, where it has any, hold it as well.
    pub fn new(client: &'a Client, url: &Url, twins: &TwinHosts) -> Self {
        Self { client, twins: twins.clone(), url: Mutex::new(url.clone()) }
    }

    fn url(&self) -> MutexGuard<'_, Url> {
        self.url.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RangeSource for Remote<'_> {
    fn read(&self, range: ByteRange, if_range: Option<&Validator>) -> Result<Reply<'_>, FetchError> {
        let asked = self.url().clone();
        let (answered, body) =
            self.twins.ask(&asked, |url| Ok((url.clone(), self.client.range(url, range, if_range)?)))?;
        if answered != asked {
            *self.url() = answered;
        }
        Ok(Reply { span: body.span, validator: body.validator.clone(), body: Box::new(body) })
    }

    fn title(&self) -> String {
        redacted(&self.url())
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
