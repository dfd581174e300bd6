//! Requests: ranges, retries, redirects, credentials, proxies, time-outs.

use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::time::Duration;

use torchfix::host::Host;
use torchfix::http::{Body, ByteRange, Client, HttpError, Options, Span, Unreached, Validator, WrongRange};
use torchfix::vocab::Url;

use crate::support::server::{Fault, Resource, Server, Site, Times};

fn host(variables: &[(&str, &str)]) -> Host {
    Host::with(Path::new("/"), Path::new("/"), variables)
}

/// A client that waits for nothing longer than a test should.
fn client_with(variables: &[(&str, &str)]) -> Client {
    let options = Options {
        backoff: Duration::from_millis(1),
        stall_timeout: Duration::from_millis(300),
        connect_timeout: Duration::from_secs(5),
        ..Options::default()
    };
    Client::new(&host(variables), options).unwrap()
}

fn client() -> Client {
    client_with(&[])
}

fn read(mut body: Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).unwrap();
    bytes
}

const DIGITS: &[u8] = b"0123456789";

fn digits(fault: Option<(Fault, Times)>) -> Server {
    let mut site = Site::new().file("/digits", DIGITS);
    if let Some((fault, times)) = fault {
        site = site.fault("/digits", fault, times);
    }
    Server::start(site)
}

#[test]
fn a_range_is_a_part_that_says_where_it_lies() {
    let server = digits(None);
    let client = client();
    let url = server.url("/digits");
    for (range, first, text) in [
        (ByteRange::Span { first: 2, end: 5 }, 2, &DIGITS[2..5]),
        (ByteRange::Last(3), 7, &DIGITS[7..]),
        (ByteRange::From(4), 4, &DIGITS[4..]),
        (ByteRange::Span { first: 8, end: 99 }, 8, &DIGITS[8..]),
    ] {
        let body = client.range(&url, range, None).unwrap();
        assert_eq!(body.span, Span::Part { first, end: first + text.len() as u64, total: 10 });
        assert_eq!(read(body), text);
    }
    let asked = &server.requests()[0];
    assert_eq!((asked.header("range"), asked.header("accept-encoding")), (Some("bytes=2-4"), Some("identity")));
    assert!(asked.header("user-agent").unwrap().starts_with("torchfix/"));
    assert_eq!(client.size(&url).unwrap(), Some(10));
}

#[test]
fn a_server_without_ranges_sends_the_whole() {
    let server = digits(Some((Fault::IgnoreRanges, Times::Always)));
    let body = client().range(&server.url("/digits"), ByteRange::Last(3), None).unwrap();
    assert_eq!(body.span, Span::Whole { size: Some(10) });
    assert_eq!(read(body), DIGITS);
}

#[test]
fn another_range_than_asked_for_is_refused_before_a_byte() {
    let server = digits(Some((Fault::WrongContentRange, Times::Always)));
    let error = client().range(&server.url("/digits"), ByteRange::Span { first: 0, end: 3 }, None).unwrap_err();
    assert!(matches!(error, HttpError::WrongRange { reason: WrongRange::Other { .. }, .. }), "{error}");
    server.clear_faults();
    let error = client().range(&server.url("/digits"), ByteRange::From(10), None).unwrap_err();
    assert!(matches!(error, HttpError::WrongRange { reason: WrongRange::Beyond { total: Some(10) }, .. }), "{error}");
}

#[test]
fn a_changed_file_comes_whole() {
    let server = digits(None);
    let client = client();
    let url = server.url("/digits");
    let validator = client.range(&url, ByteRange::From(0), None).unwrap().validator.unwrap();
    let kept: Validator = validator.to_string().parse().unwrap();
    let range = |first| client.range(&url, ByteRange::From(first), Some(&kept)).unwrap().span;
    assert_eq!(range(5), Span::Part { first: 5, end: 10, total: 10 });
    server.replace("/digits", Resource::new(*b"abcdefghij", "application/octet-stream"));
    assert_eq!(range(5), Span::Whole { size: Some(10) });
}

#[test]
fn a_body_that_ends_early_or_stalls_says_so() {
    let server = digits(Some((Fault::Truncate(4), Times::First(1))));
    let client = client();
    let mut bytes = Vec::new();
    let mut body = client.range(&server.url("/digits"), ByteRange::From(0), None).unwrap();
    assert_eq!(body.read_to_end(&mut bytes).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(bytes, b"0123", "what had arrived is the caller's");

    server.add_fault("/digits", Fault::Stall(4, Duration::from_secs(5)), Times::Always);
    let mut body = client.range(&server.url("/digits"), ByteRange::From(0), None).unwrap();
    assert_eq!(body.read_to_end(&mut Vec::new()).unwrap_err().kind(), ErrorKind::TimedOut);
}

#[test]
fn trouble_that_passes_is_waited_for_and_trouble_that_stays_is_told() {
    let busy = Fault::Status(503, vec![("Retry-After", "0".to_owned())]);
    let server = digits(Some((busy.clone(), Times::First(3))));
    assert_eq!(read(client().range(&server.url("/digits"), ByteRange::From(0), None).unwrap()), DIGITS);
    assert_eq!(server.requests().iter().map(|request| request.status).collect::<Vec<_>>(), [503, 503, 503, 206]);

    server.forget_requests();
    server.add_fault("/digits", busy, Times::Always);
    let error = client().range(&server.url("/digits"), ByteRange::From(0), None).unwrap_err();
    assert_eq!((error.status(), server.requests().len()), (Some(503), 4));
    let error = client().range(&server.url("/none"), ByteRange::From(0), None).unwrap_err();
    assert_eq!((error.status(), server.requests_of("/none").len()), (Some(404), 1), "404 does not pass");
}

#[test]
fn the_server_says_how_long_to_wait() {
    let busy = Fault::Status(429, vec![("Retry-After", "1".to_owned())]);
    let server = digits(Some((busy, Times::First(1))));
    let began = std::time::Instant::now();
    client().range(&server.url("/digits"), ByteRange::From(0), None).unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "a lower bound holds on any machine");
}

#[test]
fn a_host_that_is_not_there_is_named_with_the_reason() {
    let client = client();
    let reason = |url: &str| match client.range(&url.parse().unwrap(), ByteRange::From(0), None) {
        Err(HttpError::Unreachable { host, reason, .. }) => (host, reason),
        other => panic!("{other:?}"),
    };
    assert_eq!(reason("http://nowhere.invalid/x"), ("nowhere.invalid".to_owned(), Unreached::NoSuchHost));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(reason(&format!("http://{closed}/x")).1, Unreached::Refused);
}

#[test]
fn offline_asks_nobody() {
    let server = digits(None);
    let offline = Client::new(&host(&[]), Options { offline: true, ..Options::default() }).unwrap();
    let error = offline.range(&server.url("/digits"), ByteRange::From(0), None).unwrap_err();
    assert!(matches!(error, HttpError::Offline { .. }) && error.to_string().contains("/digits"), "{error}");
    assert!(server.requests().is_empty());
}

fn with_login(url: &Url, user: &str, password: &str) -> Url {
    let mut url = url.clone();
    url.set_username(user).unwrap();
    url.set_password(Some(password)).unwrap();
    url
}

#[test]
fn a_password_goes_to_its_origin_and_nowhere_else() {
    let other = digits(None);
    let site = Site::new()
        .file("/private", DIGITS)
        .fault("/private", Fault::BasicAuth("me", "p@ss"), Times::Always)
        .fault("/here", Fault::redirect(302, "/private"), Times::Always)
        .fault("/there", Fault::redirect(307, other.url("/digits").as_str()), Times::Always);
    let server = Server::start(site);
    let client = client();
    let get = |path: &str| client.range(&with_login(&server.url(path), "me", "p@ss"), ByteRange::From(0), None);

    assert_eq!(client.size(&server.url("/private")).unwrap_err().status(), Some(401));
    let body = get("/here").unwrap();
    assert_eq!(body.url, server.url("/private"), "the final URL, without the password");
    assert_eq!(read(body), DIGITS);

    assert_eq!(read(get("/there").unwrap()), DIGITS);
    let elsewhere = &other.requests()[0];
    assert_eq!((elsewhere.header("authorization"), elsewhere.header("referer")), (None, None));
    let error = get("/none").unwrap_err().to_string();
    assert!(!error.contains("p@ss") && !error.contains("p%40ss"), "{error}");
}

#[test]
fn an_index_password_serves_the_files_of_the_same_origin() {
    let site = Site::new().file("/private", DIGITS).fault("/private", Fault::BasicAuth("me", "word"), Times::Always);
    let server = Server::start(site);
    let client = client();
    client.learn_credentials(&with_login(&server.url("/simple/"), "me", "word"));
    assert_eq!(client.size(&server.url("/private")).unwrap(), Some(10));
}

#[test]
fn netrc_has_passwords_too() {
    let site = Site::new().file("/private", DIGITS).fault("/private", Fault::BasicAuth("me", "word"), Times::Always);
    let server = Server::start(site);
    let folder = tempfile::tempdir().unwrap();
    let netrc = folder.path().join("netrc");
    fs_err::write(&netrc, "machine 127.0.0.1 login me password word\n").unwrap();
    let client = client_with(&[("NETRC", netrc.to_str().unwrap())]);
    assert_eq!(client.size(&server.url("/private")).unwrap(), Some(10));
}

#[test]
fn redirects_end() {
    let site = Site::new().fault("/loop", Fault::redirect(301, "/loop"), Times::Always);
    let server = Server::start(site);
    let error = client().size(&server.url("/loop")).unwrap_err();
    assert!(matches!(error, HttpError::Redirect { .. }), "{error}");
    assert_eq!(server.requests().len(), 11);
}

#[test]
fn the_proxy_of_the_variables_carries_the_request() {
    let proxy = digits(None);
    let address = format!("http://u:pw@{}", proxy.address());
    let client = client_with(&[("HTTP_PROXY", &address), ("NO_PROXY", "direct.invalid")]);
    let url: Url = "http://files.invalid/digits".parse().unwrap();
    assert_eq!(read(client.range(&url, ByteRange::From(0), None).unwrap()), DIGITS);
    let carried = &proxy.requests()[0];
    assert_eq!(carried.target, "http://files.invalid/digits");
    assert_eq!(carried.header("proxy-authorization"), Some("Basic dTpwdw=="));
    let direct: Url = "http://direct.invalid/digits".parse().unwrap();
    assert!(matches!(client.size(&direct), Err(HttpError::Unreachable { proxy: None, .. })));
}

#[test]
fn a_proxy_that_is_not_there_is_named_without_its_password() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = client_with(&[("HTTP_PROXY", &format!("http://u:secret@{closed}"))]);
    let error = client.size(&"http://files.invalid/digits".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains(&closed.to_string()) && error.contains("proxy") && !error.contains("secret"), "{error}");
}

#[test]
fn small_files_have_a_limit() {
    let server = digits(None);
    let client = client();
    assert_eq!(&*client.file(&server.url("/digits"), 10).unwrap().bytes, DIGITS);
    assert!(matches!(client.file(&server.url("/digits"), 9), Err(HttpError::TooLarge { limit: 9, .. })));
}

#[test]
fn a_page_that_trickles_is_left_and_not_asked_for_again() {
    let site = Site::new().file("/page", vec![b' '; 16 << 20]).bytes_per_second(4 << 20);
    let server = Server::start(site);
    let options = Options { page_timeout: Duration::from_millis(200), ..Options::default() };
    let client = Client::new(&host(&[]), options).unwrap();
    let error = client.file(&server.url("/page"), 64 << 20).unwrap_err();
    assert!(matches!(error, HttpError::TooSlow { .. }), "{error}");
    assert!(error.to_string().contains("/page"), "{error}");
    assert_eq!(server.requests().len(), 1);
}
