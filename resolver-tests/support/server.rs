//! A loopback HTTP server: files and index pages, with faults on request, and a record of all it was asked.
//!
//! ```ignore
//! let server = Server::start(Site::new().file("/a.whl", bytes).fault("/a.whl", Fault::Truncate(100), Times::First(1)));
//! let url = server.url("/a.whl");
//! assert_eq!(server.requests().len(), 0);
//! ```
//! A request in absolute form (as a proxy gets it) is served by its path alone, so the server can play a proxy too.

mod answer;
mod site;

pub use site::{Fault, Resource, Site, Times};

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use torchfix::vocab::Url;

use self::answer::{Answer, Sending};

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
