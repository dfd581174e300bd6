//! Hosts that serve the same files under the same paths.

use super::HttpError;
use crate::vocab::Url;

/// Hosts that serve the same files under the same paths, so that one can stand in for the other.
///
/// The PyTorch index links to two of them and changes from one to the other; which they are stands in the manifests.
#[derive(Debug, Clone, Default)]
pub struct TwinHosts(Vec<String>);

impl TwinHosts {
    /// These hosts are twins; none, or one alone, is nobody's.
    pub fn new(hosts: Vec<String>) -> Self {
        Self(hosts)
    }

    /// The same file on the other hosts.
    pub fn others(&self, url: &Url) -> Vec<Url> {
        let Some(host) = url.host_str().filter(|host| self.0.iter().any(|known| known == host)) else {
            return Vec::new();
        };
        let mut other = url.clone();
        let others = self.0.iter().filter(|known| *known != host);
        others.filter_map(|host| other.set_host(Some(host)).ok().map(|()| other.clone())).collect()
    }

    /// Asks for a file, and where its host fails in a way that its twin may not, asks the twin; the first host's error
    /// is the one that is told.
    pub fn ask<T>(&self, url: &Url, mut request: impl FnMut(&Url) -> Result<T, HttpError>) -> Result<T, HttpError> {
        let error = match request(url) {
            Err(error) if may_differ(&error) => error,
            answer => return answer,
        };
        self.others(url).iter().find_map(|other| request(other).ok()).ok_or(error)
    }
}

fn may_differ(error: &HttpError) -> bool {
    error.is_unreachable() || matches!(error.status(), Some(403 | 404 | 500..=599))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_twin_stands_in_only_for_its_twin() {
        let twins = TwinHosts::new(vec!["a.example".into(), "b.example".into()]);
        let asked = |start: &str, status| {
            let mut asked = Vec::new();
            let answer = twins.ask(&url(start), |url| {
                asked.push(url.to_string());
                if asked.len() == 1 { Err(HttpError::Status { url: url.to_string(), status }) } else { Ok(()) }
            });
            (asked, answer.is_ok())
        };
        let both = vec!["https://a.example/x%2By".to_owned(), "https://b.example/x%2By".to_owned()];
        assert_eq!(asked("https://a.example/x%2By", 403), (both, true));
        assert_eq!(asked("https://a.example/x", 401).0.len(), 1);
        assert_eq!(asked("https://c.example/x", 404).0.len(), 1);
    }
}
