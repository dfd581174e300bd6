//! Project pages: who has what, what is kept between runs, who may say "not here".

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use torchfix::catalog::index::{IndexClient, IndexError};
use torchfix::catalog::{Index, IndexKind, Page, Pages as _};
use torchfix::host::Host;
use torchfix::http::{Client, HttpError, Options, TwinHosts};
use torchfix::vocab::{Diagnostic as _, ExitStatus, Sha256, Url};

use crate::support::pages::{Listed, Style, page};
use crate::support::server::{Fault, Resource, Server, Site, Times};

/// An index client as a fresh run has it, on this cache.
pub fn run(cache: Option<&Path>, offline: bool) -> IndexClient {
    let options = Options { offline, backoff: Duration::from_millis(1), ..Options::default() };
    let client = Client::new(&Host::with(Path::new("/"), Path::new("/"), &[]), options).unwrap();
    IndexClient::new(Arc::new(client), cache, TwinHosts::default())
}

pub fn index(url: Url, kind: IndexKind) -> Index {
    Index { url, kind }
}

fn ask(client: &IndexClient, index: &Index, name: &str) -> Result<Option<Arc<Page>>, IndexError> {
    client.page(index, &name.parse().unwrap())
}

fn names(page: &Page) -> Vec<String> {
    page.artifacts.iter().map(|artifact| artifact.file_name.to_string()).collect()
}

fn demo() -> Listed {
    Listed {
        requires_python: Some(">=3.9,<4".into()),
        yanked: Some("broken".into()),
        core_metadata: Some(Sha256::of(b"metadata")),
        ..Listed::new("demo-1.0+cu128-py3-none-any.whl", "/files/demo-1.0%2Bcu128-py3-none-any.whl", b"wheel")
    }
}

#[test]
fn html_and_json_say_the_same() {
    let site = Site::new().simple_page("/html/demo/", &[demo()], Style::Html).simple_page(
        "/json/demo/",
        &[demo()],
        Style::Json,
    );
    let server = Server::start(site);
    let client = run(None, false);
    for root in ["/html", "/json/"] {
        let page = ask(&client, &index(server.url(root), IndexKind::Simple), "Demo").unwrap().unwrap();
        let [artifact] = page.artifacts.as_slice() else { panic!("{page:?}") };
        assert_eq!(artifact.file_name.to_string(), "demo-1.0+cu128-py3-none-any.whl");
        assert_eq!(artifact.url, server.url("/files/demo-1.0%2Bcu128-py3-none-any.whl"));
        assert_eq!((artifact.sha256, artifact.yanked.as_deref()), (Some(Sha256::of(b"wheel")), Some("broken")));
        assert_eq!(artifact.requires_python.as_ref().unwrap().to_string(), ">=3.9, <4");
        assert_eq!(artifact.metadata.as_ref().unwrap().sha256, Some(Sha256::of(b"metadata")));
        assert_eq!(artifact.size, (root == "/json/").then_some(5));
    }
    let accept = server.requests()[0].header("accept").unwrap().to_owned();
    assert!(accept.starts_with("application/vnd.pypi.simple.v1+json,"), "{accept}");
}

#[test]
fn a_page_of_the_pytorch_index_is_read() {
    let files = [
        Listed::new(
            "torch-2.9.1+cpu-cp312-cp312-linux_x86_64.whl",
            "/whl/cpu/torch-2.9.1+cpu-cp312-cp312-linux_x86_64.whl",
            b"a",
        ),
        Listed {
            sha256: None,
            ..Listed::new(
                "torch-2.9.0-cp312-cp312-linux_x86_64.whl",
                "/whl/torch-2.9.0-cp312-cp312-linux_x86_64.whl",
                b"",
            )
        },
    ];
    let server = Server::start(Site::new().simple_page("/whl/cpu/torch/", &files, Style::Pytorch));
    let page = ask(&run(None, false), &index(server.url("/whl/cpu"), IndexKind::Pytorch), "torch").unwrap().unwrap();
    assert_eq!(page.artifacts[0].url, server.url("/whl/cpu/torch-2.9.1%2Bcpu-cp312-cp312-linux_x86_64.whl"));
    assert_eq!(page.artifacts[1].sha256, None);
}

#[test]
fn who_may_say_not_here() {
    let site = Site::new()
        .fault("/i/forbidden/", Fault::status(403), Times::Always)
        .fault("/i/private/", Fault::status(401), Times::Always)
        .fault("/i/broken/", Fault::status(500), Times::Always);
    let server = Server::start(site);
    let client = run(None, false);
    let status = |kind, name| match ask(&client, &index(server.url("/i"), kind), name) {
        Ok(None) => None,
        Err(error) => {
            assert_eq!(error.exit_status(), ExitStatus::Network);
            Some(match error {
                IndexError::Http(error) => error.status().unwrap(),
                other => panic!("{other:?}"),
            })
        }
        Ok(Some(page)) => panic!("{page:?}"),
    };
    assert_eq!((status(IndexKind::Simple, "none"), status(IndexKind::Pytorch, "none")), (None, None));
    assert_eq!((status(IndexKind::Simple, "forbidden"), status(IndexKind::Pytorch, "forbidden")), (Some(403), None));
    for kind in [IndexKind::Simple, IndexKind::Pytorch] {
        assert_eq!((status(kind, "private"), status(kind, "broken")), (Some(401), Some(500)));
    }
}

#[test]
fn links_are_relative_to_where_the_page_was_in_the_end() {
    let site = Site::new().fault("/old/demo/", Fault::redirect(301, "/moved/here/demo/"), Times::Always).simple_page(
        "/moved/here/demo/",
        &[Listed::new("demo-1-py3-none-any.whl", "demo-1-py3-none-any.whl", b"")],
        Style::Html,
    );
    let server = Server::start(site);
    let page = ask(&run(None, false), &index(server.url("/old"), IndexKind::Simple), "demo").unwrap().unwrap();
    assert_eq!(page.artifacts[0].url, server.url("/moved/here/demo/demo-1-py3-none-any.whl"));
}

#[test]
fn an_index_with_a_password_passes_it_on_to_no_url() {
    let site = Site::new()
        .simple_page("/i/demo/", &[Listed::new("demo-1-py3-none-any.whl", "demo-1-py3-none-any.whl", b"")], Style::Html)
        .fault("/i/demo/", Fault::BasicAuth("me", "secret"), Times::Always);
    let server = Server::start(site);
    let cache = tempfile::tempdir().unwrap();
    let mut url = server.url("/i");
    url.set_username("me").unwrap();
    url.set_password(Some("secret")).unwrap();
    let page = ask(&run(Some(cache.path()), false), &index(url, IndexKind::Simple), "demo").unwrap().unwrap();
    assert_eq!(page.artifacts[0].url, server.url("/i/demo/demo-1-py3-none-any.whl"));
    for file in fs_err::read_dir(cache.path().join("pages-v1")).unwrap() {
        let text = String::from_utf8_lossy(&fs_err::read(file.unwrap().path()).unwrap()).into_owned();
        assert!(!text.contains("secret") && !text.contains("bWU6c2VjcmV0"), "{text}");
    }
}

#[test]
fn compressed_pages_are_read_and_bombs_are_not() {
    let text =
        page("/i/demo/", &[Listed::new("demo-1-py3-none-any.whl", "x/demo-1-py3-none-any.whl", b"")], Style::Html);
    let zipped = gzip(text.as_bytes());
    let bomb = gzip(&vec![b' '; (64 << 20) + 1]);
    let site = Site::new()
        .resource("/i/demo/", Resource::new(*b"not compressed", "text/html").gzip(zipped))
        .resource("/i/bomb/", Resource::new(*b"", "text/html").gzip(bomb));
    let server = Server::start(site);
    let (client, index) = (run(None, false), index(server.url("/i"), IndexKind::Simple));
    assert_eq!(names(&ask(&client, &index, "demo").unwrap().unwrap()), ["demo-1-py3-none-any.whl"]);
    let error = ask(&client, &index, "bomb").unwrap_err();
    assert!(matches!(error, IndexError::Http(HttpError::TooLarge { .. })), "{error}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn garbage_is_an_error_that_names_the_page() {
    let site = Site::new()
        .resource("/i/json/", Resource::new(*b"{\"files\": 7}", "application/vnd.pypi.simple.v1+json"))
        .resource("/i/image/", Resource::new(*b"GIF89a", "image/gif"))
        .resource("/i/noise/", Resource::new(crate::support::wheels::noise(5000), "text/html"));
    let server = Server::start(site);
    let (client, index) = (run(None, false), index(server.url("/i"), IndexKind::Simple));
    for name in ["json", "image"] {
        let error = ask(&client, &index, name).unwrap_err();
        assert_eq!((error.code(), error.exit_status()), ("index.bad-page", ExitStatus::Network));
        assert!(error.to_string().contains(&format!("/i/{name}/")), "{error}");
    }
    assert!(ask(&client, &index, "noise").unwrap().unwrap().artifacts.is_empty());
}

/// The statuses of the page's requests when four runs, one after the other, ask for it.
fn statuses_of_runs(resource: Resource) -> Vec<u16> {
    let server = Server::start(Site::new().resource("/i/demo/", resource));
    let cache = tempfile::tempdir().unwrap();
    let index = index(server.url("/i"), IndexKind::Simple);
    for _ in 0..2 {
        let client = run(Some(cache.path()), false);
        assert_eq!(names(&ask(&client, &index, "demo").unwrap().unwrap()), ["demo-1-py3-none-any.whl"]);
        ask(&client, &index, "demo").unwrap();
    }
    server.requests().iter().map(|request| request.status).collect()
}

#[test]
fn a_second_run_asks_only_whether_the_page_has_changed() {
    let text = page("/i/demo/", &[Listed::new("demo-1-py3-none-any.whl", "demo-1-py3-none-any.whl", b"")], Style::Html);
    let resource = || Resource::new(text.clone().into_bytes(), "text/html");
    assert_eq!(statuses_of_runs(resource()), [200, 304]);
    assert_eq!(statuses_of_runs(resource().header("Cache-Control", "max-age=0")), [200, 304]);
    assert_eq!(statuses_of_runs(resource().header("Cache-Control", "max-age=600")), [200]);
    assert_eq!(statuses_of_runs(resource().without_etag()), [200], "a page without a word about its age");
    assert_eq!(statuses_of_runs(resource().header("Cache-Control", "no-store")), [200, 200]);
}

#[test]
fn what_is_not_here_is_kept_too() {
    let server = Server::start(Site::new().fault("/i/b/", Fault::status(403), Times::Always));
    let cache = tempfile::tempdir().unwrap();
    let index = index(server.url("/i"), IndexKind::Pytorch);
    for offline in [false, false, true] {
        let client = run(Some(cache.path()), offline);
        assert!(ask(&client, &index, "a").unwrap().is_none() && ask(&client, &index, "b").unwrap().is_none());
    }
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn offline_takes_what_is_kept_however_old_and_nothing_else() {
    let site = Site::new().simple_page("/i/demo/", &[demo()], Style::Json);
    let server = Server::start(site);
    let cache = tempfile::tempdir().unwrap();
    let index = index(server.url("/i"), IndexKind::Simple);
    ask(&run(Some(cache.path()), false), &index, "demo").unwrap().unwrap();
    let offline = run(Some(cache.path()), true);
    assert!(ask(&offline, &index, "demo").unwrap().is_some());
    let error = ask(&offline, &index, "other").unwrap_err();
    assert_eq!((error.code(), error.is_unreachable()), ("http.offline", true));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_damaged_cache_is_asked_anew() {
    let server = Server::start(Site::new().simple_page("/i/demo/", &[demo()], Style::Json));
    let cache = tempfile::tempdir().unwrap();
    let index = index(server.url("/i"), IndexKind::Simple);
    for damage in [0, 1, 2] {
        ask(&run(Some(cache.path()), false), &index, "demo").unwrap().unwrap();
        for file in fs_err::read_dir(cache.path().join("pages-v1")).unwrap() {
            let path = file.unwrap().path();
            let mut bytes = fs_err::read(&path).unwrap();
            match damage {
                0 => bytes.truncate(bytes.len() - 1),
                1 => bytes[0] ^= 1,
                _ => bytes.clear(),
            }
            fs_err::write(&path, bytes).unwrap();
        }
    }
    ask(&run(Some(cache.path()), false), &index, "demo").unwrap().unwrap();
    assert_eq!(server.requests().iter().map(|request| request.status).collect::<Vec<_>>(), [200; 4]);
}

#[test]
fn a_folder_of_wheels_and_a_page_of_links() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["demo-1.0-py3-none-any.whl", "other-1.0-py3-none-any.whl", "demo-2.0.tar.gz", "notes.txt"] {
        fs_err::write(folder.path().join(name), name).unwrap();
    }
    let client = run(None, true);
    let local = index(Url::from_directory_path(folder.path()).unwrap(), IndexKind::Links);
    let page = ask(&client, &local, "demo").unwrap().unwrap();
    assert_eq!((names(&page), page.skipped.len()), (vec!["demo-1.0-py3-none-any.whl".to_owned()], 1));
    assert_eq!(page.artifacts[0].size, Some(25));
    assert!(ask(&client, &local, "none").unwrap().is_none());
    let missing = index(Url::from_directory_path(folder.path().join("none")).unwrap(), IndexKind::Links);
    assert!(ask(&client, &missing, "demo").is_err());

    let listed = ["demo-1.0-py3-none-any.whl", "other-1.0-py3-none-any.whl"].map(|name| Listed::new(name, name, b""));
    let server = Server::start(Site::new().simple_page("/links.html", &listed, Style::Html));
    let client = run(None, false);
    let links = index(server.url("/links.html"), IndexKind::Links);
    assert_eq!(names(&ask(&client, &links, "demo").unwrap().unwrap()), ["demo-1.0-py3-none-any.whl"]);
    assert_eq!(names(&ask(&client, &links, "other").unwrap().unwrap()), ["other-1.0-py3-none-any.whl"]);
    assert_eq!(server.requests().len(), 1, "the page is fetched once for all");
}

#[test]
fn an_index_in_a_folder_is_an_index() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::create_dir_all(folder.path().join("demo")).unwrap();
    fs_err::write(folder.path().join("demo/index.html"), "<a href='demo-1-py3-none-any.whl'>x</a>").unwrap();
    let index = index(Url::from_directory_path(folder.path()).unwrap(), IndexKind::Simple);
    let client = run(None, true);
    let page = ask(&client, &index, "demo").unwrap().unwrap();
    assert_eq!(page.artifacts[0].url.to_file_path().unwrap(), folder.path().join("demo/demo-1-py3-none-any.whl"));
    assert!(ask(&client, &index, "other").unwrap().is_none());
    let missing = Index { url: Url::from_directory_path(folder.path().join("none")).unwrap(), ..index };
    assert_eq!(ask(&client, &missing, "demo").unwrap_err().code(), "index.folder");
}

#[test]
fn a_page_that_breaks_off_is_read_again() {
    let site = Site::new().simple_page("/i/demo/", &[demo()], Style::Html).fault(
        "/i/demo/",
        Fault::Truncate(40),
        Times::First(2),
    );
    let server = Server::start(site);
    let index = index(server.url("/i"), IndexKind::Simple);
    assert_eq!(ask(&run(None, false), &index, "demo").unwrap().unwrap().artifacts.len(), 1);
    server.add_fault("/i/demo/", Fault::Truncate(40), Times::Always);
    let error = ask(&run(None, false), &index, "demo").unwrap_err();
    assert_eq!((error.code(), server.requests().len()), ("http.broken", 7));
}

#[test]
fn what_is_fetched_ahead_is_not_fetched_again() {
    let mut site = Site::new();
    let names: Vec<String> = (0..20).map(|number| format!("p{number}")).collect();
    for name in &names {
        let file_name = format!("{name}-1-py3-none-any.whl");
        site = site.simple_page(&format!("/i/{name}/"), &[Listed::new(&file_name, &file_name, b"")], Style::Json);
    }
    let server = Server::start(site);
    let (client, index) = (run(None, false), index(server.url("/i"), IndexKind::Simple));
    let ahead: Vec<_> = names.iter().map(|name| (index.clone(), name.parse().unwrap())).collect();
    client.prefetch(&ahead, &[]);
    client.prefetch(&ahead, &[]);
    for name in &names {
        assert_eq!(ask(&client, &index, name).unwrap().unwrap().artifacts.len(), 1);
    }
    assert_eq!(server.requests().len(), 20);
}
