//! A replica of the PyTorch index and of what PyPI has of it, on the loopback, under the real names of their hosts.
//!
//! The client under test reaches every host through one server that plays its proxy, so pages are as the real ones are,
//! down to the links to other hosts, and no request leaves this machine. What is in it: `resolver-tests/replica/`.

mod row;
mod shelf;
mod world;

pub use row::WheelRow;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use torchfix::catalog::Manifests;
use torchfix::catalog::index::IndexClient;
use torchfix::host::Host;
use torchfix::http::{Client, Options, TwinHosts};
use torchfix::request::Indexes;
use torchfix::vocab::{Channel, Url};

pub use self::world::World;
use super::server::{Recorded, Server, Site};

/// An address where nobody listens.
const NOBODY: &str = "http://127.0.0.1:1";

/// The replica, being served.
pub struct Replica {
    server: Server,
}

impl Replica {
    /// Serves a world of indexes.
    pub fn start(world: World) -> Self {
        let site = Site::new().maker(move |target, accept| world.answer(target, accept));
        Self { server: Server::start(site) }
    }

    /// The product's own client as a fresh run has it, with nothing kept from before.
    pub fn client(&self) -> IndexClient {
        let proxy = format!("http://{}", self.server.address());
        // One certificate instead of the system's: nothing here is encrypted, and reading hundreds takes its time.
        let authority = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/tls_test_authority.pem");
        let variables =
            [("HTTP_PROXY", proxy.as_str()), ("NO_PROXY", "127.0.0.1"), ("SSL_CERT_FILE", authority.to_str().unwrap())];
        let options = Options { backoff: Duration::from_millis(1), ..Options::default() };
        let client = Client::new(&Host::with(Path::new("/"), Path::new("/"), &variables), options).unwrap();
        let twins = TwinHosts::new(Manifests::embedded().torch_index().hosts.clone());
        IndexClient::new(Arc::new(client), None, twins)
    }

    /// The paths of the pages that were asked for, as scenarios write them: `pypi/numpy`, `cu126/torch`.
    pub fn pages_asked(&self) -> BTreeSet<String> {
        self.requests().iter().filter_map(|request| page_of(&request.target)).collect()
    }

    /// The wheels of torch whose METADATA was read, beside them or out of them.
    pub fn torch_metadata_read(&self) -> BTreeSet<String> {
        let file_name = |request: &Recorded| request.target.rsplit('/').next().unwrap_or_default().replace("%2B", "+");
        let names = self.requests().iter().map(file_name).collect::<Vec<_>>();
        let wheels = names.into_iter().map(|name| name.trim_end_matches(".metadata").to_owned());
        wheels.filter(|name| name.starts_with("torch-")).collect()
    }

    /// Everything that was asked for, whole URLs.
    pub fn requests(&self) -> Vec<Recorded> {
        self.server.requests()
    }
}

/// Where a request of a scenario may look; those in `unreachable` lie behind an address where nobody listens.
pub fn indexes(unreachable: &BTreeSet<String>, extra: bool, links: bool) -> Indexes {
    let url = |name: &str, url: &str| -> Url {
        let path = url.splitn(4, '/').nth(3).unwrap_or_default();
        let url = if unreachable.contains(name) { format!("{NOBODY}/{path}") } else { url.to_owned() };
        url.parse().unwrap()
    };
    Indexes {
        default: url("pypi", "http://pypi.org/simple"),
        extra: extra.then(|| url("extra", "http://extra.example/simple")).into_iter().collect(),
        find_links: links.then(|| url("links", "http://links.example/wheels.html")).into_iter().collect(),
        torch: url("pytorch", "http://download.pytorch.org/whl"),
        torch_is_mirror: false,
        channel: Channel::Stable,
        no_index: false,
    }
}

/// The index that a wheel's URL belongs to, as scenarios name it.
pub fn index_of(url: &str) -> &'static str {
    let host = url.split('/').nth(2).unwrap_or_default();
    match host {
        "files.pythonhosted.org" => "pypi",
        "download.pytorch.org" | "download-r2.pytorch.org" => "pytorch",
        "pypi.nvidia.com" => "nvidia",
        "extra.example" => "extra",
        "links.example" => "links",
        _ => "elsewhere",
    }
}

fn page_of(target: &str) -> Option<String> {
    let (host, path) = target.strip_prefix("http://")?.split_once('/')?;
    let path = path.strip_suffix('/')?;
    match host {
        "pypi.org" => Some(format!("pypi/{}", path.strip_prefix("simple/")?)),
        "extra.example" => Some(format!("extra/{}", path.strip_prefix("simple/")?)),
        _ => path.strip_prefix("whl/").map(str::to_owned),
    }
}
