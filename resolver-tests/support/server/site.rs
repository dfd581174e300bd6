//! What a server serves, and what goes wrong with it.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use torchfix::vocab::Sha256;

/// Computes the answer to a target that no resource lies at, from it and what is accepted: a resource or a status.
type Maker = Box<dyn Fn(&str, &str) -> Result<Resource, u16> + Send>;

/// What is served.
#[derive(Default)]
pub struct Site {
    pub(super) resources: BTreeMap<String, Resource>,
    pub(super) maker: Option<Maker>,
    pub(super) faults: Vec<(String, Fault, Times)>,
    pub(super) bytes_per_second: Option<u64>,
}

/// One path's answer.
#[derive(Clone)]
pub struct Resource {
    pub(super) content: Content,
    pub(super) content_type: &'static str,
    pub(super) etag: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) gzip: Option<Arc<[u8]>>,
}

#[derive(Clone)]
pub(super) enum Content {
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
    /// No `ETag` and no Last-Modified.
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

    /// Answers by computing what lies at no path of its own; as a proxy it is given whole URLs.
    pub fn maker(mut self, maker: impl Fn(&str, &str) -> Result<Resource, u16> + Send + 'static) -> Self {
        self.maker = Some(Box::new(maker));
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
    /// Bytes of this media type, with an `ETag`.
    pub fn new(bytes: impl Into<Arc<[u8]>>, content_type: &'static str) -> Self {
        let bytes = bytes.into();
        let etag = Some(format!("\"{}\"", &Sha256::of(&bytes).to_string()[..16]));
        Self { content: Content::Memory(bytes), content_type, etag, headers: Vec::new(), gzip: None }
    }

    /// Its bytes, where they are not on disk.
    pub fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Memory(bytes) => bytes,
            Content::Disk(_) => &[],
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves out the `ETag`.
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

impl Content {
    pub(super) fn size(&self) -> u64 {
        match self {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::Disk(path) => fs_err::metadata(path).map_or(0, |metadata| metadata.len()),
        }
    }

    pub(super) fn open(&self, first: u64) -> io::Result<Box<dyn io::Read>> {
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
