//! The client: every request of the process goes through it.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::blocking::Response;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, IF_RANGE, LOCATION, RANGE,
};

use super::body::{Source, TooSlow};
use super::credentials::{Credentials, redacted, same_origin};
use super::proxy::Proxies;
use super::range::{ByteRange, Span, total_of_unsatisfied};
use super::{Body, HttpError, RedirectFault, Unreached, Validator, WrongRange, local, retry, tls};
use crate::host::Host;
use crate::vocab::{Url, without_credentials};

/// How the client behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether the network is forbidden.
    pub offline: bool,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long nothing may arrive, before the first byte or between two; a wheel has no other limit.
    pub stall_timeout: Duration,
    /// How long a page or another small file may take to arrive whole: a server that sends a byte now and then never
    /// stalls, and never ends.
    pub page_timeout: Duration,
    /// How often a request is sent again after a failure that may pass.
    pub retries: u32,
    /// The pause before the first of these; the next ones are longer.
    pub backoff: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            offline: false,
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            page_timeout: Duration::from_secs(30) * PAGE_STALLS,
            retries: 3,
            backoff: Duration::from_millis(250),
        }
    }
}

impl Options {
    /// What the variables of torchfix, uv and pip say, the rest as by default.
    pub fn of(host: &Host) -> Result<Self, HttpError> {
        let mut options = Self::default();
        let variables = ["TORCHFIX_HTTP_TIMEOUT", "UV_HTTP_TIMEOUT", "PIP_DEFAULT_TIMEOUT"];
        if let Some((variable, value)) = variables.iter().find_map(|name| Some((*name, host.text_variable(name)?))) {
            let seconds = value.trim().parse().ok().filter(|seconds| *seconds > 0.0);
            options.stall_timeout = seconds
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .ok_or_else(|| HttpError::TimeOutValue { variable, value: value.to_owned() })?;
            options.page_timeout = options.stall_timeout.saturating_mul(PAGE_STALLS);
        }
        Ok(options)
    }
}

const MOST_REDIRECTS: usize = 10;

/// A page may take as long as so many stalls: 10 minutes, in which 2 kB a second fetch the largest real page.
const PAGE_STALLS: u32 = 20;

/// The one client of a process; shared by reference between threads.
///
/// Nothing is opened, and no certificate read, before the first request that needs the network.
pub struct Client {
    host: Host,
    options: Options,
    proxies: Proxies,
    credentials: Credentials,
    connections: OnceLock<reqwest::blocking::Client>,
    connecting: Mutex<()>,
    warnings: Mutex<Vec<String>>,
}

impl Client {
    /// A client with the variables of `host`: proxies, certificates, netrc.
    pub fn new(host: &Host, options: Options) -> Result<Client, HttpError> {
        Ok(Self {
            proxies: Proxies::of(host)?,
            credentials: Credentials::of(host),
            host: host.clone(),
            options,
            connections: OnceLock::new(),
            connecting: Mutex::new(()),
            warnings: Mutex::default(),
        })
    }

    /// Keeps the user name and password of an index URL for the files that lie at the same origin.
    pub fn learn_credentials(&self, url: &Url) {
        self.credentials.learn(url);
    }

    /// What went wrong but stopped nothing (a broken netrc, a cache that cannot be written); each is given out once.
    pub fn take_warnings(&self) -> Vec<String> {
        let mut warnings = self.credentials.take_warnings();
        warnings.append(&mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner));
        warnings
    }

    /// Keeps a warning, once.
    pub(crate) fn warn(&self, warning: String) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// When a page that is asked for now must have arrived.
    pub(super) fn page_deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.options.page_timeout)
    }

    /// Whether the network is forbidden.
    pub fn is_offline(&self) -> bool {
        self.options.offline
    }

    /// A range of a file; its `Content-Range` is checked before a byte is handed out.
    ///
    /// Failures are retried until the headers are in; what happens to the body after that is the caller's to resume.
    /// With `if_range` a file that has changed comes whole.
    pub fn range(&self, url: &Url, range: ByteRange, if_range: Option<&Validator>) -> Result<Body, HttpError> {
        if url.scheme() == "file" {
            let (span, file) = local::open(url, Some(range))?;
            return Ok(Body::new(span, None, url.clone(), Source::File(file)));
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(RANGE, header(&range.header(), url)?);
        if let Some(value) = if_range.and_then(Validator::header) {
            headers.insert(IF_RANGE, value);
        }
        let (response, url) = self.send(&Method::GET, url, &headers)?;
        let wrong = |reason| HttpError::WrongRange { url: redacted(&url), reason };
        let span = match response.status().as_u16() {
            206 => {
                let span = range.check(text(response.headers(), CONTENT_RANGE).unwrap_or_default()).map_err(wrong)?;
                match content_length(response.headers()) {
                    Some(got) if Some(got) != span.length() => return Err(wrong(WrongRange::Length { got })),
                    _ => span,
                }
            }
            200 => Span::Whole { size: content_length(response.headers()) },
            416 => {
                let total = text(response.headers(), CONTENT_RANGE).and_then(total_of_unsatisfied);
                return Err(wrong(WrongRange::Beyond { total }));
            }
            status => return Err(HttpError::Status { url: redacted(&url), status }),
        };
        let validator = Validator::of(response.headers());
        Ok(Body::new(span, validator, without_credentials(&url), Source::Network(Box::new(response))))
    }

    /// The size of a file, where its host says; no byte of it is fetched.
    pub fn size(&self, url: &Url) -> Result<Option<u64>, HttpError> {
        if url.scheme() == "file" {
            return local::size(url).map(Some);
        }
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]);
        let (response, url) = self.send(&Method::HEAD, url, &headers)?;
        match response.status().as_u16() {
            200 => Ok(content_length(response.headers())),
            405 | 501 => Ok(None),
            status => Err(HttpError::Status { url: redacted(&url), status }),
        }
    }

    /// Sends a request, follows its redirects, and says where they ended; any final status is an answer.
    pub(super) fn send(&self, method: &Method, url: &Url, headers: &HeaderMap) -> Result<(Response, Url), HttpError> {
        let mut url = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.send_patiently(method, &url, headers)?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok((response, url));
            }
            url = next(&url, text(response.headers(), LOCATION))?;
        }
        Err(HttpError::Redirect { url: redacted(&url), fault: RedirectFault::TooMany })
    }

    /// Sends one request until its headers are in, with pauses between attempts.
    fn send_patiently(&self, method: &Method, url: &Url, headers: &HeaderMap) -> Result<Response, HttpError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(HttpError::UnsupportedUrl { url: redacted(url) });
        }
        if self.options.offline {
            return Err(HttpError::Offline { url: redacted(url) });
        }
        let connections = self.connections()?;
        for attempt in 1.. {
            let mut request = connections.request(method.clone(), without_credentials(url)).headers(headers.clone());
            if let Some(login) = self.credentials.for_url(url) {
                request = request.basic_auth(login.user, login.password);
            }
            let pause = match request.send() {
                Ok(response) if retry::is_transient(response.status().as_u16()) => {
                    if attempt > self.options.retries {
                        return Ok(response);
                    }
                    retry::pause(self.options.backoff, attempt, Some(response.headers()))
                }
                Ok(response) => return Ok(response),
                Err(error) => {
                    let error = self.classify(url, error);
                    if attempt > self.retries_after(&error) {
                        return Err(error);
                    }
                    retry::pause(self.options.backoff, attempt, None)
                }
            };
            thread::sleep(pause);
        }
        unreachable!("the loop ends by returning")
    }

    /// Waits for the next attempt after a body broke off; the error itself where there have been enough.
    pub(super) fn pause_after(&self, attempt: u32, error: HttpError) -> Result<(), HttpError> {
        if attempt > self.retries_after(&error) {
            return Err(error);
        }
        thread::sleep(retry::pause(self.options.backoff, attempt, None));
        Ok(())
    }

    /// How often a request that failed this way is sent again: whoever sits behind a firewall shall hear of it soon.
    fn retries_after(&self, error: &HttpError) -> u32 {
        match error {
            HttpError::Unreachable { reason: Unreached::NoSuchHost | Unreached::Refused, .. }
            | HttpError::TimedOut { .. } => self.options.retries.min(1),
            HttpError::Unreachable { reason: Unreached::Interrupted, .. } | HttpError::Broken { .. } => {
                self.options.retries
            }
            _ => 0,
        }
    }

    /// The error of a body that could not be read to its end.
    pub(super) fn broken(&self, url: &Url, error: io::Error) -> HttpError {
        let error = super::body::plain(error);
        if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<TooSlow>) {
            return HttpError::TooSlow { url: redacted(url), after: self.options.page_timeout };
        }
        if error.kind() == io::ErrorKind::TimedOut {
            return HttpError::TimedOut { url: redacted(url), after: self.options.stall_timeout };
        }
        HttpError::Broken { url: redacted(url), source: Arc::new(error) }
    }

    fn connections(&self) -> Result<&reqwest::blocking::Client, HttpError> {
        // The lock keeps two threads from building one each.
        let _building = self.connecting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = self.connections.get() {
            return Ok(connections);
        }
        let proxies = self.proxies.clone();
        let built = reqwest::blocking::Client::builder()
            .user_agent(concat!("torchfix/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls::client_config(&self.host)?)
            // Parallel ranges shall be parallel connections.
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .proxy(reqwest::Proxy::custom(move |url| proxies.for_url(url).cloned()))
            .connect_timeout(self.options.connect_timeout)
            .timeout(self.options.stall_timeout)
            .build()
            .map_err(|error| HttpError::Client { source: Arc::new(error) })?;
        Ok(self.connections.get_or_init(|| built))
    }

    fn classify(&self, url: &Url, error: reqwest::Error) -> HttpError {
        let error = error.without_url();
        let host = url.host_str().unwrap_or_default().to_owned();
        let tls = causes(&error).find_map(tls_reason);
        if let Some(reason) = tls {
            return HttpError::Tls { host, reason, source: Arc::new(error) };
        }
        if error.is_connect() {
            let io_kind = causes(&error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
            let reason = match io_kind {
                _ if is_dns(&error) => Unreached::NoSuchHost,
                Some(io::ErrorKind::ConnectionRefused) => Unreached::Refused,
                Some(io::ErrorKind::TimedOut) => Unreached::NoAnswer,
                _ if error.is_timeout() => Unreached::NoAnswer,
                _ => Unreached::Interrupted,
            };
            let proxy = self.proxies.for_url(url).map(redacted);
            return HttpError::Unreachable { host, proxy, reason, source: Arc::new(error) };
        }
        if error.is_timeout() {
            return HttpError::TimedOut { url: redacted(url), after: self.options.stall_timeout };
        }
        HttpError::Broken { url: redacted(url), source: Arc::new(error) }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Where a redirect leads.
///
/// A password in the URL goes along only within its origin; one that netrc has for the new host is found there.
fn next(url: &Url, location: Option<&str>) -> Result<Url, HttpError> {
    let refused = |fault| HttpError::Redirect { url: redacted(url), fault };
    let mut next = location
        .and_then(|location| without_credentials(url).join(location).ok())
        .ok_or_else(|| refused(RedirectFault::Nowhere))?;
    if !matches!(next.scheme(), "http" | "https") {
        return Err(refused(RedirectFault::Scheme));
    }
    if url.scheme() == "https" && next.scheme() == "http" {
        return Err(refused(RedirectFault::Downgrade));
    }
    if same_origin(url, &next) && next.username().is_empty() {
        // Both fail only on URLs without a host.
        let _ = next.set_username(url.username());
        let _ = next.set_password(url.password());
    }
    Ok(next)
}

/// An error and all that caused it; what an I/O error wraps counts too, which `source` passes over.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match inner {
            Some(inner) => Some(inner as &(dyn std::error::Error + 'static)),
            None => error.source(),
        }
    })
}

fn tls_reason(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    error.downcast_ref::<rustls::Error>().map(ToString::to_string)
}

/// The library's own test misses the system resolver, whose errors carry no type but a fixed text.
fn is_dns(error: &reqwest::Error) -> bool {
    error.is_dns() || causes(error).any(|cause| cause.to_string().starts_with("dns error"))
}

fn header(value: &str, url: &Url) -> Result<HeaderValue, HttpError> {
    HeaderValue::from_str(value).map_err(|_| HttpError::UnsupportedUrl { url: redacted(url) })
}

fn text(headers: &HeaderMap, name: reqwest::header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    text(headers, CONTENT_LENGTH)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn time_outs_come_from_variables() {
        let of = |variables: &[_]| Options::of(&Host::with(Path::new("/"), Path::new("/"), variables));
        assert_eq!(
            of(&[("PIP_DEFAULT_TIMEOUT", "60"), ("UV_HTTP_TIMEOUT", "7.5")]).unwrap().stall_timeout,
            Duration::from_millis(7500)
        );
        for bad in ["soon", "0", "-1", "nan", "1e300"] {
            let message = of(&[("UV_HTTP_TIMEOUT", bad)]).unwrap_err().to_string();
            assert!(message.contains("UV_HTTP_TIMEOUT"), "{message}");
        }
    }

    #[test]
    fn redirects_keep_a_password_within_its_origin_only() {
        let from: Url = "https://u:p@a.example/x/y".parse().unwrap();
        let to = |location| next(&from, Some(location)).map(|url| url.to_string());
        assert_eq!(to("z").unwrap(), "https://u:p@a.example/x/z");
        assert_eq!(to("https://b.example/").unwrap(), "https://b.example/");
        assert_eq!(to("https://a.example:444/").unwrap(), "https://a.example:444/");
        let fault = |location| match next(&from, location) {
            Err(HttpError::Redirect { fault, .. }) => fault,
            other => panic!("{other:?}"),
        };
        assert_eq!(fault(Some("http://a.example/")), RedirectFault::Downgrade);
        assert_eq!(fault(Some("file:///etc/passwd")), RedirectFault::Scheme);
        assert_eq!(fault(None), RedirectFault::Nowhere);
    }

    #[test]
    fn local_files_have_ranges_too() {
        use std::io::Read as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b.bin");
        fs_err::write(&path, b"0123456789").unwrap();
        let url = Url::from_file_path(&path).unwrap();
        let client = Client::new(&Host::with(folder.path(), folder.path(), &[]), Options::default()).unwrap();
        let mut body = client.range(&url, ByteRange::Last(4), None).unwrap();
        assert_eq!(body.span, Span::Part { first: 6, end: 10, total: 10 });
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"6789");
        assert_eq!(client.size(&url).unwrap(), Some(10));
        assert!(matches!(client.range(&url, ByteRange::From(10), None), Err(HttpError::WrongRange { .. })));
    }
}
