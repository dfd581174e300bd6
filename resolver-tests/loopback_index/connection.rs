//! One client's connection: requests in, pages and files out.

use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::net::TcpStream;
use std::ops::Range;

use fs_err as fs;

use crate::pages;
use crate::request::{Request, Span};
use crate::shelf::{Projects, Shelf, Wheel};
use crate::stats::Stats;
use crate::throttle::Throttle;

/// How much of a file goes out in one call.
const SLICE: u64 = 1 << 20;
/// How much of it under a speed limit.
const LIMITED_SLICE: u64 = 256 * 1024;

/// What all connections share.
pub struct Site {
    /// The wheels.
    pub shelf: Shelf,
    /// Whether PEP 658 metadata is served.
    pub with_metadata: bool,
    /// Bytes per second of each connection.
    pub limit: Option<u64>,
    /// What was served.
    pub stats: Stats,
}

/// A client that is connected.
pub struct Connection<'site> {
    site: &'site Site,
    reader: BufReader<TcpStream>,
    stream: TcpStream,
    throttle: Option<Throttle>,
}

/// The start of an answer.
struct Head {
    status: &'static str,
    length: u64,
    headers: String,
}

impl<'site> Connection<'site> {
    /// Takes a connection over.
    pub fn new(stream: TcpStream, site: &'site Site) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        site.stats.connected();
        Ok(Self { site, reader: BufReader::new(stream.try_clone()?), stream, throttle: site.limit.map(Throttle::new) })
    }

    /// Answers until the client closes the connection.
    pub fn run(mut self) -> io::Result<()> {
        while let Some(request) = Request::read(&mut self.reader)? {
            self.site.stats.requested();
            self.answer(&request)?;
            if request.closes() {
                break;
            }
        }
        Ok(())
    }

    fn answer(&mut self, request: &Request) -> io::Result<()> {
        let site = self.site;
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return self.refuse(request, "405 Method Not Allowed");
        }
        let path: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        match path.as_slice() {
            ["__stats"] => self.send_body(request, "application/json", &site.stats.to_json()),
            ["simple", page @ ..] => self.answer_page(request, Some(&site.shelf.simple), page, "404 Not Found"),
            ["whl", variant, page @ ..] => {
                self.answer_page(request, site.shelf.pytorch.get(*variant), page, "403 Forbidden")
            }
            ["files", ..] => {
                let path = request.path.trim_start_matches('/');
                if let Some(wheel) = site.shelf.wheel(path) {
                    self.answer_file(request, wheel)
                } else if let Some(wheel) = path.strip_suffix(".metadata").and_then(|path| site.shelf.wheel(path))
                    && site.with_metadata
                {
                    self.send_page(request, "application/octet-stream", &wheel.metadata)
                } else {
                    self.refuse(request, "404 Not Found")
                }
            }
            _ => self.refuse(request, "404 Not Found"),
        }
    }

    fn answer_page(
        &mut self,
        request: &Request,
        projects: Option<&Projects>,
        page: &[&str],
        missing: &'static str,
    ) -> io::Result<()> {
        let json = pages::wants_json(request.header("accept"));
        let with_metadata = self.site.with_metadata;
        let media_type = if json { pages::JSON } else { pages::HTML };
        let project = match page {
            [project] | [project, ""] => *project,
            _ => return self.refuse(request, missing),
        };
        let body = match projects.map(|projects| (projects, projects.get(project))) {
            Some((projects, None)) if project.is_empty() && json => pages::projects_json(projects),
            Some((projects, None)) if project.is_empty() => pages::projects_html(projects),
            Some((_, Some(wheels))) if json => pages::project_json(project, wheels, with_metadata),
            Some((_, Some(wheels))) => pages::project_html(project, wheels, with_metadata),
            _ => return self.refuse(request, missing),
        };
        self.send_page(request, media_type, &body)
    }

    fn answer_file(&mut self, request: &Request, wheel: &Wheel) -> io::Result<()> {
        let etag = format!("\"{}\"", wheel.sha256);
        let mut headers = format!("Content-Type: application/octet-stream\r\nAccept-Ranges: bytes\r\nETag: {etag}\r\n");
        if request.header("if-none-match") == Some(etag.as_str()) {
            return self.send_head(&Head { status: "304 Not Modified", length: 0, headers });
        }
        let (status, range) = match request.span(wheel.size, &etag) {
            Span::Whole => ("200 OK", 0..wheel.size),
            Span::Part(range) => {
                headers.push_str(&content_range(&format!("{}-{}", range.start, range.end - 1), wheel));
                ("206 Partial Content", range)
            }
            Span::Unsatisfiable => {
                headers.push_str(&content_range("*", wheel));
                return self.send_head(&Head { status: "416 Range Not Satisfiable", length: 0, headers });
            }
        };
        // The standard library's own file: `sendfile` wants a descriptor.
        let (file, _) = fs::File::open(&wheel.path)?.into_parts();
        self.send_head(&Head { status, length: range.end - range.start, headers })?;
        if request.method == "HEAD" { Ok(()) } else { self.send_file(&file, range, wheel) }
    }

    fn send_file(&mut self, file: &File, range: Range<u64>, wheel: &Wheel) -> io::Result<()> {
        let mut position = range.start;
        while position < range.end {
            let slice = (range.end - position).min(if self.throttle.is_some() { LIMITED_SLICE } else { SLICE });
            if let Some(throttle) = &mut self.throttle {
                throttle.pay(slice);
            }
            let end = position + slice;
            while position < end {
                let sent = send_some(&mut self.stream, file, position, end - position)?;
                if sent == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.site.stats.sent_file(&wheel.file_name, sent);
                position += sent;
            }
        }
        Ok(())
    }

    fn send_page(&mut self, request: &Request, media_type: &str, body: &[u8]) -> io::Result<()> {
        self.site.stats.sent_page(body.len());
        self.send_body(request, media_type, body)
    }

    fn send_body(&mut self, request: &Request, media_type: &str, body: &[u8]) -> io::Result<()> {
        let headers = format!("Content-Type: {media_type}\r\nVary: Accept\r\nCache-Control: max-age=600\r\n");
        self.send_head(&Head { status: "200 OK", length: body.len() as u64, headers })?;
        if request.method == "HEAD" { Ok(()) } else { self.stream.write_all(body) }
    }

    fn refuse(&mut self, request: &Request, status: &'static str) -> io::Result<()> {
        let body = if request.method == "HEAD" { "" } else { status };
        self.send_head(&Head { status, length: status.len() as u64, headers: String::new() })?;
        self.stream.write_all(body.as_bytes())
    }

    fn send_head(&mut self, head: &Head) -> io::Result<()> {
        let Head { status, length, headers } = head;
        // A 304 has no body, and its length would be that of the 200.
        let length = if status.starts_with("304") { String::new() } else { format!("Content-Length: {length}\r\n") };
        self.stream.write_all(format!("HTTP/1.1 {status}\r\n{length}{headers}\r\n").as_bytes())
    }
}

fn content_range(range: &str, wheel: &Wheel) -> String {
    format!("Content-Range: bytes {range}/{}\r\n", wheel.size)
}

#[cfg(target_os = "linux")]
fn send_some(stream: &mut TcpStream, file: &File, position: u64, length: u64) -> io::Result<u64> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let mut position = position;
    Ok(rustix::fs::sendfile(stream, file, Some(&mut position), length)? as u64)
}

#[cfg(not(target_os = "linux"))]
fn send_some(stream: &mut TcpStream, mut file: &File, position: u64, length: u64) -> io::Result<u64> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    file.seek(SeekFrom::Start(position))?;
    io::copy(&mut file.take(length), stream)
}
