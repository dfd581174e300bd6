//! Pages and small files, read whole.

use std::io::Read;
use std::sync::Arc;

use reqwest::Method;
use reqwest::blocking::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};

use super::body::Until;
use super::client::content_length;
use super::credentials::redacted;
use super::{Client, HttpError, PageCache, local};
use crate::vocab::{Url, without_credentials};

/// The most that is read of a page, decompressed.
pub(super) const LARGEST_PAGE: u64 = 64 << 20;

/// A page, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageBody {
    /// Where it came from, redirects followed, without credentials: what its relative links are relative to.
    pub url: Url,
    /// Its media type, as the server says.
    pub content_type: Option<String>,
    /// Its bytes, decompressed.
    pub bytes: Arc<[u8]>,
}

impl Client {
    /// A page, from the cache while it is fresh, else asked for anew or found unchanged; `None` when the status is one
    /// of those that mean `absent` here.
    ///
    /// With the network forbidden what the cache holds is taken, however old.
    pub fn page(
        &self,
        url: &Url,
        accept: &'static str,
        absent: &[u16],
        cache: &PageCache,
    ) -> Result<Option<PageBody>, HttpError> {
        if url.scheme() != "file" {
            return cache.page(self, url, accept, absent);
        }
        match local_page(url) {
            Err(error) if error.status().is_some_and(|status| absent.contains(&status)) => Ok(None),
            page => page.map(Some),
        }
    }

    /// A small file of at most `limit` bytes, past any cache.
    pub fn file(&self, url: &Url, limit: u64) -> Result<PageBody, HttpError> {
        if url.scheme() == "file" {
            return local_file(url, limit);
        }
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("*/*"))]);
        let answer = self.answer(url, &headers, limit)?;
        match answer.page {
            Some(page) => Ok(page),
            None => Err(HttpError::Status { url: redacted(&answer.url), status: answer.parts.status.as_u16() }),
        }
    }

    /// Reads a body whole; where it breaks off, it is asked for and read again.
    ///
    /// `open` says what it pleases about the body beside handing it out.
    pub fn whole<M, R: Read>(
        &self,
        url: &Url,
        mut open: impl FnMut() -> Result<(M, R), HttpError>,
    ) -> Result<(M, Vec<u8>), HttpError> {
        let mut attempt = 1;
        loop {
            let (about, mut body) = open()?;
            let mut bytes = Vec::new();
            match body.read_to_end(&mut bytes) {
                Ok(_) => return Ok((about, bytes)),
                Err(error) => self.pause_after(attempt, self.broken(url, error))?,
            }
            attempt += 1;
        }
    }

    /// A request's answer, its body read where the status is 200.
    pub(super) fn answer(&self, url: &Url, headers: &HeaderMap, limit: u64) -> Result<Answer, HttpError> {
        let ((parts, url), bytes) = self.whole(url, || {
            let (response, url) = self.send(&Method::GET, url, headers)?;
            let most = if response.status().as_u16() == 200 { limit.saturating_add(1) } else { 0 };
            // Compressed bodies do not say what they come to; the others are refused before a byte of them is read.
            if most > 0 && content_length(response.headers()).is_some_and(|length| length > limit) {
                return Err(HttpError::TooLarge { url: redacted(&url), limit });
            }
            let body = Until { source: response, deadline: self.page_deadline() };
            Ok(((summary(&body.source), url), body.take(most)))
        })?;
        if bytes.len() as u64 > limit {
            return Err(HttpError::TooLarge { url: redacted(&url), limit });
        }
        let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        let page = PageBody { url: without_credentials(&url), content_type, bytes: bytes.into() };
        Ok(Answer { page: (parts.status.as_u16() == 200).then_some(page), parts, url })
    }
}

/// What came of a request.
pub(super) struct Answer {
    /// Status and headers.
    pub(super) parts: http::response::Parts,
    /// Where it came from, redirects followed.
    pub(super) url: Url,
    /// The body of a 200.
    pub(super) page: Option<PageBody>,
}

fn summary(response: &Response) -> http::response::Parts {
    let mut summary = http::Response::new(());
    *summary.status_mut() = response.status();
    summary.headers_mut().clone_from(response.headers());
    summary.into_parts().0
}

/// A page of an index that lies on this machine: the file, or `index.html` in the folder.
fn local_page(url: &Url) -> Result<PageBody, HttpError> {
    let folder = fs_err::metadata(local::path(url)?).is_ok_and(|metadata| metadata.is_dir());
    let file = if folder {
        let mut file = url.clone();
        if let Ok(mut segments) = file.path_segments_mut() {
            segments.pop_if_empty().push("index.html");
        }
        file
    } else {
        url.clone()
    };
    let json = file.path().rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("json"));
    let content_type = if json { "application/vnd.pypi.simple.v1+json" } else { "text/html" };
    Ok(PageBody { content_type: Some(content_type.to_owned()), ..local_file(&file, LARGEST_PAGE)? })
}

fn local_file(url: &Url, limit: u64) -> Result<PageBody, HttpError> {
    let (_, content) = local::open(url, None)?;
    let mut bytes = Vec::new();
    content
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| HttpError::LocalFile { url: redacted(url), source: Arc::new(error) })?;
    if bytes.len() as u64 > limit {
        return Err(HttpError::TooLarge { url: redacted(url), limit });
    }
    Ok(PageBody { url: url.clone(), content_type: None, bytes: bytes.into() })
}
