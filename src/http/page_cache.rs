//! Index pages on disk, as fresh as RFC 9111 has them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use http_cache_semantics::{AfterResponse, BeforeRequest, CacheOptions, CachePolicy};
use reqwest::header::{ACCEPT, CACHE_CONTROL, ETAG, EXPIRES, HeaderMap, HeaderValue, LAST_MODIFIED};
use serde::{Deserialize, Serialize};

use super::credentials::redacted;
use super::page::{Answer, LARGEST_PAGE, PageBody};
use super::{Client, HttpError};
use crate::vocab::{Sha256, Url, without_credentials};

/// Pages kept between runs.
#[derive(Debug, Clone)]
pub struct PageCache {
    folder: Option<PathBuf>,
}

/// A page in the cache: a line of JSON, then the bytes.
struct Entry {
    head: Head,
    body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    /// Where it came from in the end.
    url: Url,
    /// 200, or one of those that mean "not here".
    status: u16,
    content_type: Option<String>,
    /// Of the bytes: a file cut short by a crash is no page.
    sha256: Sha256,
    policy: CachePolicy,
}

/// How long a page is fresh that says neither how long nor how to ask again.
const FRESH_WITHOUT_A_WORD: HeaderValue = HeaderValue::from_static("max-age=600");

impl PageCache {
    /// Pages under `cache`, the folder that `--cache-dir` names.
    pub fn under(cache: &Path) -> Self {
        Self { folder: Some(cache.join("pages-v1")) }
    }

    /// No cache: every page is asked for.
    pub fn none() -> Self {
        Self { folder: None }
    }

    pub(super) fn page(
        &self,
        client: &Client,
        url: &Url,
        accept: &'static str,
        absent: &[u16],
    ) -> Result<Option<PageBody>, HttpError> {
        let request = request(url, accept)?;
        let path = self.folder.as_ref().map(|folder| folder.join(file_name(url, accept)));
        let kept = path.as_deref().and_then(read);
        let mut headers = request.headers().clone();
        if let Some(entry) = &kept {
            match entry.head.policy.before_request(&request, SystemTime::now()) {
                BeforeRequest::Fresh(_) => return Ok(kept.and_then(Entry::page)),
                _ if client.is_offline() => return Ok(kept.and_then(Entry::page)),
                BeforeRequest::Stale { request, matches } => {
                    if matches {
                        headers = request.headers;
                    }
                }
            }
        }
        let Answer { parts, url, page } = client.answer(url, &headers, LARGEST_PAGE)?;
        let now = SystemTime::now();
        if let (304, Some(mut entry)) = (parts.status.as_u16(), kept) {
            if let AfterResponse::NotModified(policy, _) = entry.head.policy.after_response(&request, &parts, now) {
                entry.head.policy = policy;
                write(client, path.as_deref(), &entry);
                return Ok(entry.page());
            }
            return Err(HttpError::Status { url: redacted(&url), status: 304 });
        }
        let status = parts.status.as_u16();
        if status != 200 && !absent.contains(&status) {
            return Err(HttpError::Status { url: redacted(&url), status });
        }
        let policy = CachePolicy::new_options(&request, &parts_to_judge(parts), now, options());
        if policy.is_storable() {
            let body = page.as_ref().map_or_else(Vec::new, |page| page.bytes.to_vec());
            let content_type = page.as_ref().and_then(|page| page.content_type.clone());
            let head = Head { url: without_credentials(&url), status, content_type, sha256: Sha256::of(&body), policy };
            write(client, path.as_deref(), &Entry { head, body });
        }
        Ok(page)
    }
}

impl Entry {
    fn page(self) -> Option<PageBody> {
        let Head { url, status, content_type, .. } = self.head;
        (status == 200).then(|| PageBody { url, content_type, bytes: self.body.into() })
    }
}

/// The request as the cache sees it: without credentials, which are never written down.
fn request(url: &Url, accept: &'static str) -> Result<http::Request<()>, HttpError> {
    let uri: http::Uri =
        without_credentials(url).as_str().parse().map_err(|_| HttpError::UnsupportedUrl { url: redacted(url) })?;
    let mut request = http::Request::new(());
    *request.uri_mut() = uri;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
    Ok(request)
}

/// A "not here" of any status is kept as a 404, the one that caches know; an answer that says nothing about its age is
/// given one.
fn parts_to_judge(mut parts: http::response::Parts) -> http::Response<()> {
    let says = |headers: &HeaderMap| {
        [CACHE_CONTROL, EXPIRES, ETAG, LAST_MODIFIED].iter().any(|name| headers.contains_key(name))
    };
    if !says(&parts.headers) {
        parts.headers.insert(CACHE_CONTROL, FRESH_WITHOUT_A_WORD);
    }
    if parts.status.as_u16() != 200 {
        parts.status = http::StatusCode::NOT_FOUND;
    }
    http::Response::from_parts(parts, ())
}

/// One user's cache, and no guesses: a page that has a validator but no age is asked for again each time.
fn options() -> CacheOptions {
    CacheOptions {
        shared: false,
        cache_heuristic: 0.0,
        immutable_min_time_to_live: Duration::from_hours(24),
        ignore_cargo_cult: false,
    }
}

fn file_name(url: &Url, accept: &str) -> String {
    format!("{}.page", Sha256::of(format!("{}\n{accept}", without_credentials(url)).as_bytes()))
}

/// The entry at `path`; one that is damaged is none, and is fetched again.
fn read(path: &Path) -> Option<Entry> {
    let mut bytes = fs_err::read(path).ok()?;
    let line = bytes.iter().position(|byte| *byte == b'\n')?;
    let head: Head = serde_json::from_slice(&bytes[..line]).ok()?;
    bytes.drain(..=line);
    (Sha256::of(&bytes) == head.sha256).then_some(Entry { head, body: bytes })
}

/// Keeps a page; where that fails the run goes on without, and says so.
fn write(client: &Client, path: Option<&Path>, entry: &Entry) {
    let Some(path) = path else { return };
    if let Err(error) = try_write(path, entry) {
        client.warn(format!("an index page is not kept for the next run: {error}"));
    }
}

fn try_write(path: &Path, entry: &Entry) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, &entry.head)?;
    file.write_all(b"\n")?;
    file.write_all(&entry.body)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
