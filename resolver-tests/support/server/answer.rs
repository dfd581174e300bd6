//! One answer: decided, then sent.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::Recorded;
use super::site::{Content, Fault, Resource, Site, Times};

/// An answer, decided; the body is read as it is sent.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    body: Option<(Content, u64, u64)>,
    pub(super) delay: Duration,
    truncate: Option<u64>,
    stall: Option<(u64, Duration)>,
    flip: Option<u64>,
}

#[derive(PartialEq, Eq)]
pub(super) enum Sending {
    Next,
    Over,
}

impl Answer {
    fn bare(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None, delay: Duration::ZERO, truncate: None, stall: None, flip: None }
    }

    pub(super) fn to(request: &Recorded, site: &mut Site) -> (Self, Option<u64>) {
        let path = path_of(&request.target);
        let faults = strike(&mut site.faults, path);
        let made = match (site.resources.get(path), &site.maker) {
            (None, Some(maker)) => maker(&request.target, request.header("accept").unwrap_or_default()),
            (resource, _) => resource.cloned().ok_or(404),
        };
        let mut answer = Self::regular(request, made.as_ref(), &faults);
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
    fn regular(request: &Recorded, resource: Result<&Resource, &u16>, faults: &[Fault]) -> Self {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Self::bare(405);
        }
        let resource = match resource {
            Ok(resource) => resource,
            Err(status) => return Self::bare(*status),
        };
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

    pub(super) fn send(
        self,
        mut connection: &TcpStream,
        head_only: bool,
        bytes_per_second: Option<u64>,
        mut sent: impl FnMut(u64),
    ) -> io::Result<Sending> {
        let length = self.body.as_ref().map_or(0, |(_, first, end)| end - first);
        let mut head = format!("HTTP/1.1 {} Answer\r\nContent-Length: {length}\r\n", self.status);
        if self.status == 304 {
            "HTTP/1.1 304 Not Modified\r\n".clone_into(&mut head);
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
