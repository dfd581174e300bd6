//! Why a request did not bring what it was sent for.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::vocab::{Diagnostic, ExitStatus};

/// A request that failed; URLs in it carry no credentials.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HttpError {
    /// Code `http.offline`, exit 20.
    #[error("`{url}` is needed from the network, and `--offline` forbids it")]
    Offline {
        /// What would have been asked for.
        url: String,
    },
    /// Code `http.unreachable`, exit 20.
    #[error("cannot reach {}: {reason}", Peer { host, proxy: proxy.as_deref() })]
    Unreachable {
        /// The server's host name.
        host: String,
        /// The proxy that would have carried the request, where one is set.
        proxy: Option<String>,
        /// What kept the connection from being made.
        reason: Unreached,
        /// The connection's error.
        source: Arc<reqwest::Error>,
    },
    /// Code `http.tls`, exit 20.
    #[error("no secure connection to `{host}`: {reason}")]
    Tls {
        /// The server's host name.
        host: String,
        /// What TLS objected to.
        reason: String,
        /// The connection's error.
        source: Arc<reqwest::Error>,
    },
    /// Code `http.timed-out`, exit 20.
    #[error("`{url}` sent nothing for {} s", after.as_secs_f32())]
    TimedOut {
        /// What was asked for.
        url: String,
        /// How long nothing came.
        after: Duration,
    },
    /// Code `http.too-slow`, exit 20.
    #[error("`{url}` was not read to its end within {} s", after.as_secs_f32())]
    TooSlow {
        /// What was asked for.
        url: String,
        /// How long it was read.
        after: Duration,
    },
    /// Code `http.broken`, exit 20.
    #[error("the connection broke while `{url}` was read")]
    Broken {
        /// What was asked for.
        url: String,
        /// The connection's error.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// Code `http.status`, exit 20.
    #[error("`{url}` answered with status {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The status of the last attempt.
        status: u16,
    },
    /// Code `http.wrong-range`, exit 20.
    #[error("`{url}` answered with a range that was not asked for: {reason}")]
    WrongRange {
        /// What was asked for.
        url: String,
        /// How it differs.
        reason: WrongRange,
    },
    /// Code `http.redirect`, exit 20.
    #[error("`{url}` redirects {fault}")]
    Redirect {
        /// Where the last redirect was.
        url: String,
        /// Why it is not followed.
        fault: RedirectFault,
    },
    /// Code `http.too-large`, exit 20.
    #[error("`{url}` is larger than {limit} bytes, the most that torchfix reads of such a page")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The most that is read.
        limit: u64,
    },
    /// Code `http.unsupported-url`, exit 2.
    #[error("`{url}` is no URL that torchfix can fetch")]
    UnsupportedUrl {
        /// The URL.
        url: String,
    },
    /// Code `http.local-file`, exit 30.
    #[error("cannot read `{url}`")]
    LocalFile {
        /// The `file:` URL.
        url: String,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// Code `http.certificate-file`, exit 2.
    #[error("`{variable}` names `{}`, from which no certificate can be read: {reason}", path.display())]
    CertificateFile {
        /// The variable.
        variable: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Code `http.no-certificates`, exit 20.
    #[error("the system has no certificate that a server could be trusted by: {reason}")]
    NoCertificates {
        /// What looking for them said.
        reason: String,
    },
    /// Code `http.proxy`, exit 2.
    #[error("`{variable}` names the proxy `{value}`: {reason}")]
    Proxy {
        /// The variable.
        variable: &'static str,
        /// Its value, without credentials.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Code `http.time-out-value`, exit 2.
    #[error("`{variable}` is `{value}`, which is no number of seconds above 0")]
    TimeOutValue {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// Code `http.client`, exit 70.
    #[error("the HTTP client could not be started")]
    Client {
        /// What the library says.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
}

/// What kept a connection from being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreached {
    /// The host name does not resolve.
    NoSuchHost,
    /// Nobody listens there.
    Refused,
    /// No answer within the connect time-out.
    NoAnswer,
    /// The connection broke before it was made.
    Interrupted,
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unreached::NoSuchHost => "the host name does not resolve",
            Unreached::Refused => "the connection was refused",
            Unreached::NoAnswer => "it did not answer in time",
            Unreached::Interrupted => "the connection was cut",
        })
    }
}

/// How a range differs from the one asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongRange {
    /// There is no `Content-Range` that can be read.
    Unreadable,
    /// Another part of the file.
    Other {
        /// Its `Content-Range`.
        got: String,
    },
    /// The file ends before the range begins (status 416).
    Beyond {
        /// The file's size, where the server says.
        total: Option<u64>,
    },
    /// The length of the body is not the range's.
    Length {
        /// What `Content-Length` says.
        got: u64,
    },
}

impl fmt::Display for WrongRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WrongRange::Unreadable => f.write_str("its Content-Range cannot be read"),
            WrongRange::Other { got } => write!(f, "it is `{got}`"),
            WrongRange::Beyond { total: Some(total) } => write!(f, "the file has only {total} bytes"),
            WrongRange::Beyond { total: None } => f.write_str("the file is shorter"),
            WrongRange::Length { got } => write!(f, "its body has {got} bytes"),
        }
    }
}

/// Why a redirect is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectFault {
    /// More than ten in a row.
    TooMany,
    /// It does not say where to, or not as a URL.
    Nowhere,
    /// From https to http.
    Downgrade,
    /// To something that is neither https nor http.
    Scheme,
}

impl fmt::Display for RedirectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RedirectFault::TooMany => "too many times",
            RedirectFault::Nowhere => "to nowhere",
            RedirectFault::Downgrade => "from https to http, which is not followed",
            RedirectFault::Scheme => "to something that is neither https nor http",
        })
    }
}

/// The host, and the proxy on the way to it.
struct Peer<'a> {
    host: &'a str,
    proxy: Option<&'a str>,
}

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.proxy {
            Some(proxy) => write!(f, "the proxy `{proxy}` that leads to `{}`", self.host),
            None => write!(f, "`{}`", self.host),
        }
    }
}

impl HttpError {
    /// The status the server answered with; 404 for a local file that is not there.
    pub fn status(&self) -> Option<u16> {
        match self {
            HttpError::Status { status, .. } => Some(*status),
            HttpError::LocalFile { source, .. } if source.kind() == io::ErrorKind::NotFound => Some(404),
            _ => None,
        }
    }

    /// Whether the server could not be asked at all: not reached, no secure connection, no answer.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, HttpError::Unreachable { .. } | HttpError::Tls { .. } | HttpError::TimedOut { .. })
    }
}

impl Diagnostic for HttpError {
    fn code(&self) -> &'static str {
        match self {
            HttpError::Offline { .. } => "http.offline",
            HttpError::Unreachable { .. } => "http.unreachable",
            HttpError::Tls { .. } => "http.tls",
            HttpError::TimedOut { .. } => "http.timed-out",
            HttpError::TooSlow { .. } => "http.too-slow",
            HttpError::Broken { .. } => "http.broken",
            HttpError::Status { .. } => "http.status",
            HttpError::WrongRange { .. } => "http.wrong-range",
            HttpError::Redirect { .. } => "http.redirect",
            HttpError::TooLarge { .. } => "http.too-large",
            HttpError::UnsupportedUrl { .. } => "http.unsupported-url",
            HttpError::LocalFile { .. } => "http.local-file",
            HttpError::CertificateFile { .. } => "http.certificate-file",
            HttpError::NoCertificates { .. } => "http.no-certificates",
            HttpError::Proxy { .. } => "http.proxy",
            HttpError::TimeOutValue { .. } => "http.time-out-value",
            HttpError::Client { .. } => "http.client",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            HttpError::UnsupportedUrl { .. }
            | HttpError::CertificateFile { .. }
            | HttpError::Proxy { .. }
            | HttpError::TimeOutValue { .. } => ExitStatus::Usage,
            HttpError::LocalFile { .. } => ExitStatus::FileSystem,
            HttpError::Client { .. } => ExitStatus::Bug,
            _ => ExitStatus::Network,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            HttpError::Offline { .. } => "run it once without `--offline`, so that the cache holds what is needed",
            HttpError::Unreachable { proxy: Some(_), .. } => {
                "see whether HTTPS_PROXY names the right proxy, and NO_PROXY the hosts that need none"
            }
            HttpError::Unreachable { reason: Unreached::NoSuchHost | Unreached::NoAnswer, .. } => {
                "behind a firewall, set HTTPS_PROXY, or name a mirror with `--index-url` or `--torch-index`"
            }
            HttpError::Unreachable { .. } | HttpError::TimedOut { .. } | HttpError::Broken { .. } => {
                "run the same command again: what has arrived is kept"
            }
            HttpError::TooSlow { .. } => "give slow servers more time with TORCHFIX_HTTP_TIMEOUT, in seconds",
            HttpError::Tls { .. } => {
                "where a proxy replaces certificates, name its certificate authority's PEM file with SSL_CERT_FILE"
            }
            HttpError::Status { status: 401 | 403, .. } => {
                "give the user name and password in the index URL or in netrc"
            }
            HttpError::Status { status: 407, .. } => "give the proxy's user name and password in HTTPS_PROXY",
            HttpError::Status { status: 429 | 500..=599, .. } => "the server has trouble: try again in a while",
            HttpError::NoCertificates { .. } => {
                "install the system's certificates (`ca-certificates`), or name a PEM file with SSL_CERT_FILE"
            }
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_plain_words() {
        let error = HttpError::WrongRange {
            url: "https://files.example/a.whl".into(),
            reason: WrongRange::Beyond { total: Some(7) },
        };
        assert_eq!(
            error.to_string(),
            "`https://files.example/a.whl` answered with a range that was not asked for: the file has only 7 bytes"
        );
        assert_eq!((error.code(), error.exit_status()), ("http.wrong-range", ExitStatus::Network));
    }

    #[test]
    fn a_missing_local_file_counts_as_404() {
        let source = Arc::new(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(HttpError::LocalFile { url: "file:///x".into(), source }.status(), Some(404));
    }
}
