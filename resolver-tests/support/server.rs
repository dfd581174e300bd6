//! A loopback HTTP server: files and index pages, with faults on request, and a record of all it was asked.
//!
//! ```ignore
//! let server = Server::start(Site::new().file("/a.whl", bytes).fault("/a.whl", Fault::Truncate(100), Times::First(1)));
//! let url = server.url("/a.whl");
//! assert_eq!(server.requests().len(), 0);
//! ```
//! A request in absolute form (as a proxy gets it) is served by its path alone, so the server can play a proxy too.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use torchfix::vocab::{Sha256, Url};

/// What is served.
#[derive(Default)]
pub struct Site {
    resources: BTreeMap<String, Resource>,
    faults: Vec<(String, Fault, Times)>,
    bytes_per_second: Option<u64>,
}

/// One path's answer.
#[derive(Clone)]
pub struct Resource {
    content: Content,
    content_type: &'static str,
    etag: Option<String>,
    headers: Vec<(String, String)>,
    gzip: Option<Arc<[u8]>>,
}

#[derive(Clone)]
enum Content {
    Memory(Arc<[u8]>),
    Disk(PathBuf),
}

/// What goes wrong with a path.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status, with these headers, and no body.
    Status(u16, Vec<(&'static str, String)>),
    /// The body ends, and with it the connection, after so many bytes.
    Truncate(u64),
    /// After so many bytes of the body nothing comes any more, for this long; then the connection closes.
    Stall(u64, Duration),
    /// The answer waits.
    Delay(Duration),
    /// Ranges are passed over: 200 and the whole file.
    IgnoreRanges,
    /// Ranges that count from the end are refused with 416.
    RefuseSuffixRanges,
    /// The 206 says a range one byte later than the one it sends.
    WrongContentRange,
    /// The byte at this offset of the file arrives changed.
    FlipByte(u64),
    /// 401 without this user name and password.
    BasicAuth(&'static str, &'static str),
    /// No ETag and no Last-Modified.
    NoValidators,
}

impl Fault {
    /// A bare status.
    pub fn status(status: u16) -> Self {
        Fault::Status(status, Vec::new())
    }

    /// A redirect.
    pub fn redirect(status: u16, location: &str) -> Self {
        Fault::Status(status, vec![("Location", location.to_owned())])
    }
}

/// How often a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Every time.
    Always,
    /// The first so many requests of the path.
    First(usize),
}

/// A request, as it came in and as it was answered.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// `GET`, `HEAD`.
    pub method: String,
    /// The request's target: the path, or the whole URL as a proxy gets it.
    pub target: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The status it was answered with.
    pub status: u16,
    /// Bytes of body sent.
    pub sent: u64,
}

impl Recorded {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

impl Site {
    /// A site without pages: 404 everywhere.
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves bytes.
    pub fn file(self, path: &str, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.resource(path, Resource::new(bytes, "application/octet-stream"))
    }

    /// Serves a file from disk, read as it is sent.
    pub fn disk(self, path: &str, file: &Path) -> Self {
        let content = Content::Disk(file.to_owned());
        let etag = Some(format!("\"{}\"", Sha256::of(file.as_os_str().as_encoded_bytes())));
        let content_type = "application/octet-stream";
        self.resource(path, Resource { content, content_type, etag, headers: Vec::new(), gzip: None })
    }

    /// Serves a resource.
    pub fn resource(mut self, path: &str, resource: Resource) -> Self {
        self.resources.insert(path.to_owned(), resource);
        self
    }

    /// Makes a path go wrong; several faults of a path add up.
    pub fn fault(mut self, path: &str, fault: Fault, times: Times) -> Self {
        self.faults.push((path.to_owned(), fault, times));
        self
    }

    /// Limits each connection.
    pub fn bytes_per_second(mut self, limit: u64) -> Self {
        self.bytes_per_second = Some(limit);
        self
    }
}

impl Resource {
    /// Bytes of this media type, with an ETag.
    pub fn new(bytes: impl Into<Arc<[u8]>>, content_type: &'static str) -> Self {
        let bytes = bytes.into();
        let etag = Some(format!("\"{}\"", &Sha256::of(&bytes).to_string()[..16]));
        Self { content: Content::Memory(bytes), content_type, etag, headers: Vec::new(), gzip: None }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves out the ETag.
    pub fn without_etag(mut self) -> Self {
        self.etag = None;
        self
    }

    /// Sends these bytes, with `Content-Encoding: gzip`, to those who accept it.
    pub fn gzip(mut self, compressed: impl Into<Arc<[u8]>>) -> Self {
        self.gzip = Some(compressed.into());
        self
    }
}

/// A running server; it ends when dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    site: Mutex<Site>,
    requests: Mutex<Vec<Recorded>>,
    connections: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

impl Server {
    /// Serves `site` on a free port of 127.0.0.1.
    pub fn start(site: Site) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
        let address = listener.local_addr().expect("the address just bound");
        let shared = Arc::new(Shared {
            site: Mutex::new(site),
            requests: Mutex::default(),
            connections: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// The URL of a path, written as the path is to be requested.
    pub fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().expect("a path that makes a URL")
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves something else from now on.
    pub fn replace(&self, path: &str, resource: Resource) {
        self.shared.site.lock().unwrap().resources.insert(path.to_owned(), resource);
    }

    /// Makes a path go wrong from now on.
    pub fn add_fault(&self, path: &str, fault: Fault, times: Times) {
        self.shared.site.lock().unwrap().faults.push((path.to_owned(), fault, times));
    }

    /// Lets everything go right from now on.
    pub fn clear_faults(&self) {
        self.shared.site.lock().unwrap().faults.clear();
    }

    /// All requests so far, in the order in which they were answered.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The requests so far of one path.
    pub fn requests_of(&self, path: &str) -> Vec<Recorded> {
        self.requests().into_iter().filter(|request| request.target == path).collect()
    }

    /// Bytes of body sent so far.
    pub fn bytes_sent(&self) -> u64 {
        self.requests().iter().map(|request| request.sent).sum()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.requests.lock().unwrap().clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for connection in self.shared.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        // The acceptor sits in `accept`: one more connection lets it see that it is over.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming().flatten() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        if let Ok(clone) = connection.try_clone() {
            shared.connections.lock().unwrap().push(clone);
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            let _ = connection.set_nodelay(true);
            // A client that goes away is no failure of the server.
            let _ = serve(&connection, &shared);
            let _ = connection.shutdown(Shutdown::Both);
        });
    }
}

/// Answers the requests of one connection, one after the other.
fn serve(connection: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(connection);
    while let Some(mut request) = read_request(&mut reader)? {
        let (answer, limit) = Answer::to(&request, &mut shared.site.lock().unwrap());
        thread::sleep(answer.delay);
        request.status = answer.status;
        // Recorded before the last byte leaves, so that a test that has the answer finds the record.
        let position = {
            let mut requests = shared.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len() - 1
        };
        let sending = answer.send(connection, request.method == "HEAD", limit, |sent| {
            if let Some(recorded) = shared.requests.lock().unwrap().get_mut(position) {
                recorded.sent += sent;
            }
        })?;
        if sending == Sending::Over {
            break;
        }
    }
    Ok(())
}

fn read_request(reader: &mut impl io::BufRead) -> io::Result<Option<Recorded>> {
    let mut line = String::new();
    if reader.take(16 << 10).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.take(16 << 10).read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(Some(Recorded { method, target, headers, status: 0, sent: 0 }));
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}

/// An answer, decided; the body is read as it is sent.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Option<(Content, u64, u64)>,
    delay: Duration,
    truncate: Option<u64>,
    stall: Option<(u64, Duration)>,
    flip: Option<u64>,
}

#[derive(PartialEq, Eq)]
enum Sending {
    Next,
    Over,
}

impl Answer {
    fn bare(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None, delay: Duration::ZERO, truncate: None, stall: None, flip: None }
    }

    fn to(request: &Recorded, site: &mut Site) -> (Self, Option<u64>) {
        let path = path_of(&request.target);
        let faults = strike(&mut site.faults, path);
        let mut answer = Self::regular(request, site.resources.get(path), &faults);
        for fault in faults {
            match fault {
                Fault::Status(status, headers) => {
                    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                    answer = Self { headers, delay: answer.delay, ..Self::bare(status) };
                }
                Fault::BasicAuth(user, password) => {
                    let expected = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
                    if request.header("authorization") != Some(expected.as_str()) {
                        answer = Self::bare(401);
                        answer.headers.push(("WWW-Authenticate".into(), "Basic realm=\"test\"".into()));
                    }
                }
                Fault::Delay(delay) => answer.delay = delay,
                Fault::Truncate(bytes) => answer.truncate = Some(bytes),
                Fault::Stall(bytes, time) => answer.stall = Some((bytes, time)),
                Fault::FlipByte(offset) => answer.flip = Some(offset),
                Fault::NoValidators => {
                    answer.headers.retain(|(name, _)| !matches!(name.as_str(), "ETag" | "Last-Modified"));
                }
                Fault::IgnoreRanges | Fault::RefuseSuffixRanges | Fault::WrongContentRange => {}
            }
        }
        (answer, site.bytes_per_second)
    }

    /// What a server without faults would say, except about ranges.
    fn regular(request: &Recorded, resource: Option<&Resource>, faults: &[Fault]) -> Self {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Self::bare(405);
        }
        let Some(resource) = resource else { return Self::bare(404) };
        let has = |fault: fn(&Fault) -> bool| faults.iter().any(fault);
        let mut answer = Self::bare(200);
        answer.headers.clone_from(&resource.headers);
        answer.headers.push(("Content-Type".into(), resource.content_type.into()));
        if let Some(etag) = &resource.etag {
            answer.headers.push(("ETag".into(), etag.clone()));
            if request.header("if-none-match").is_some_and(|tags| tags.split(", ").any(|tag| tag == etag)) {
                answer.status = 304;
                return answer;
            }
        }
        let zipped = resource
            .gzip
            .as_ref()
            .filter(|_| request.header("accept-encoding").is_some_and(|encodings| encodings.contains("gzip")));
        if let Some(zipped) = zipped {
            answer.headers.push(("Content-Encoding".into(), "gzip".into()));
            answer.body = Some((Content::Memory(Arc::clone(zipped)), 0, zipped.len() as u64));
            return answer;
        }
        let total = resource.content.size();
        let (mut first, mut end) = (0, total);
        let last_modified = resource.headers.iter().find(|(name, _)| name == "Last-Modified").map(|(_, date)| date);
        let unchanged = request.header("if-range").is_none_or(|validator| {
            resource.etag.as_deref() == Some(validator) || last_modified.is_some_and(|date| date == validator)
        });
        let range = request.header("range").filter(|_| unchanged && !has(|fault| matches!(fault, Fault::IgnoreRanges)));
        if let Some(range) = range {
            let refused = range.starts_with("bytes=-") && has(|fault| matches!(fault, Fault::RefuseSuffixRanges));
            let Some(span) = parse_range(range, total).filter(|_| !refused) else {
                answer.status = 416;
                answer.headers.push(("Content-Range".into(), format!("bytes */{total}")));
                return answer;
            };
            (first, end) = span;
            let shift = u64::from(has(|fault| matches!(fault, Fault::WrongContentRange)));
            let value = format!("bytes {}-{}/{total}", first + shift, end - 1 + shift);
            answer.headers.push(("Content-Range".into(), value));
            answer.status = 206;
        }
        answer.body = Some((resource.content.clone(), first, end));
        answer
    }

    fn send(
        self,
        mut connection: &TcpStream,
        head_only: bool,
        bytes_per_second: Option<u64>,
        mut sent: impl FnMut(u64),
    ) -> io::Result<Sending> {
        let length = self.body.as_ref().map_or(0, |(_, first, end)| end - first);
        let mut head = format!("HTTP/1.1 {} Answer\r\nContent-Length: {length}\r\n", self.status);
        if self.status == 304 {
            head = "HTTP/1.1 304 Not Modified\r\n".to_owned();
        }
        head.push_str("Accept-Ranges: bytes\r\nDate: Fri, 02 Jan 2026 00:00:00 GMT\r\n");
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        connection.write_all(head.as_bytes())?;
        let Some((content, first, end)) = self.body.filter(|_| !head_only) else { return Ok(Sending::Next) };
        let mut pace = Pace { began: Instant::now(), bytes_per_second, sent: 0 };
        let breaks = [self.truncate, self.stall.map(|(bytes, _)| bytes)].into_iter().flatten().min();
        let stop = breaks.map_or(end, |bytes| end.min(first + bytes));
        let mut reader = content.open(first)?;
        let mut buffer = vec![0; 64 << 10];
        let mut position = first;
        while position < stop {
            let most = buffer.len().min(usize::try_from(stop - position).unwrap_or(usize::MAX));
            let chunk = &mut buffer[..most];
            reader.read_exact(chunk)?;
            if let Some(flip) = self.flip.filter(|flip| (position..position + most as u64).contains(flip)) {
                chunk[(flip - position) as usize] ^= 0xff;
            }
            // Counted first: a client that has the last byte finds it counted.
            sent(most as u64);
            connection.write_all(chunk)?;
            position += most as u64;
            pace.keep(most as u64);
        }
        if position == end {
            return Ok(Sending::Next);
        }
        if let Some((_, time)) = self.stall {
            thread::sleep(time);
        }
        Ok(Sending::Over)
    }
}

impl Content {
    fn size(&self) -> u64 {
        match self {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::Disk(path) => fs_err::metadata(path).map_or(0, |metadata| metadata.len()),
        }
    }

    fn open(&self, first: u64) -> io::Result<Box<dyn io::Read>> {
        Ok(match self {
            Content::Memory(bytes) => {
                let mut cursor = io::Cursor::new(Arc::clone(bytes));
                cursor.set_position(first);
                Box::new(cursor)
            }
            Content::Disk(path) => {
                let mut file = fs_err::File::open(path)?;
                file.seek(SeekFrom::Start(first))?;
                Box::new(BufReader::with_capacity(256 << 10, file))
            }
        })
    }
}

/// Keeps a connection at its rate.
struct Pace {
    began: Instant,
    bytes_per_second: Option<u64>,
    sent: u64,
}

impl Pace {
    fn keep(&mut self, bytes: u64) {
        let Some(rate) = self.bytes_per_second else { return };
        self.sent += bytes;
        let due = Duration::from_secs_f64(self.sent as f64 / rate as f64);
        thread::sleep(due.saturating_sub(self.began.elapsed()));
    }
}

/// The faults that strike a request of this path; those that have struck often enough are gone.
fn strike(faults: &mut Vec<(String, Fault, Times)>, path: &str) -> Vec<Fault> {
    let mut struck = Vec::new();
    for (at, fault, times) in faults.iter_mut().filter(|(at, ..)| at == path) {
        debug_assert_eq!(at, path);
        match times {
            Times::Always => struck.push(fault.clone()),
            Times::First(0) => {}
            Times::First(left) => {
                *left -= 1;
                struck.push(fault.clone());
            }
        }
    }
    faults.retain(|(_, _, times)| *times != Times::First(0));
    struck
}

fn path_of(target: &str) -> &str {
    let path = target.strip_prefix("http://").map_or(target, |rest| rest.find('/').map_or("/", |slash| &rest[slash..]));
    path.split_once('?').map_or(path, |(path, _)| path)
}

/// `bytes=0-99`, `bytes=100-`, `bytes=-100`; anything else, several ranges too, is refused.
fn parse_range(range: &str, total: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, end) = match (first, last) {
        ("", count) => (total.saturating_sub(count.parse().ok()?), total),
        (first, "") => (first.parse().ok()?, total),
        (first, last) => (first.parse().ok()?, total.min(last.parse::<u64>().ok()?.checked_add(1)?)),
    };
    (first < end).then_some((first, end))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * position) & 0x3f) as usize];
            text.push(if position <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
