//! Which requests go through which proxy, as the variables say that curl, pip and uv read.

use std::net::IpAddr;

use super::HttpError;
use super::credentials::redacted;
use crate::host::Host;
use crate::vocab::Url;

/// The proxies of a process.
#[derive(Debug, Clone, Default)]
pub(super) struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    exceptions: Vec<Exception>,
}

/// One entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    /// `*`.
    All,
    /// `example.org`, `.example.org`: it and what is below it; at this port only, where one is given.
    Host(String, Option<u16>),
    /// `10.0.0.0/8`, or one address.
    Network(IpAddr, u8),
}

impl Proxies {
    /// Reads the variables, each in lower case first, as curl does.
    pub(super) fn of(host: &Host) -> Result<Self, HttpError> {
        let all = proxy(host, "all_proxy", "ALL_PROXY")?;
        // A web server hands a request's `Proxy:` header to its children as HTTP_PROXY: not ours then. Windows gives that
        // for http_proxy too, so its spelling counts.
        let is_request = host.variable("REQUEST_METHOD").is_some();
        let is_ours = !is_request || host.variables().any(|(name, value)| name == "http_proxy" && !value.is_empty());
        let http = if is_ours { proxy(host, "http_proxy", "HTTP_PROXY")? } else { None };
        let exceptions = host.text_variable("no_proxy").or_else(|| host.text_variable("NO_PROXY")).unwrap_or_default();
        Ok(Self {
            http: http.or_else(|| all.clone()),
            https: proxy(host, "https_proxy", "HTTPS_PROXY")?.or(all),
            exceptions: exceptions.split([',', ' ']).filter_map(Exception::parse).collect(),
        })
    }

    /// The proxy that carries requests to `url`.
    pub(super) fn for_url(&self, url: &Url) -> Option<&Url> {
        let proxy = if url.scheme() == "https" { self.https.as_ref() } else { self.http.as_ref() }?;
        let direct = self.exceptions.iter().any(|exception| exception.covers(url));
        (!direct).then_some(proxy)
    }
}

fn proxy(host: &Host, lower: &'static str, upper: &'static str) -> Result<Option<Url>, HttpError> {
    let found = [lower, upper].into_iter().find_map(|name| Some((name, host.text_variable(name)?.trim())));
    let Some((variable, value)) = found.filter(|(_, value)| !value.is_empty()) else { return Ok(None) };
    let text = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    // What does not parse is not shown: it may hold a password.
    let url = Url::parse(&text).map_err(|error| HttpError::Proxy {
        variable,
        value: "…".to_owned(),
        reason: error.to_string(),
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        let reason = format!("proxies of the kind `{}` are not supported, only http and https ones", url.scheme());
        return Err(HttpError::Proxy { variable, value: redacted(&url), reason });
    }
    Ok(Some(url))
}

impl Exception {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if text == "*" {
            return Some(Exception::All);
        }
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        if let Ok(address) = address.trim_matches(['[', ']']).parse::<IpAddr>() {
            let most = if address.is_ipv4() { 32 } else { 128 };
            let length = length.map_or(Some(most), |length| length.parse().ok())?;
            return (length <= most).then_some(Exception::Network(address, length));
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let name = name.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.');
        (!name.is_empty()).then(|| Exception::Host(name.to_ascii_lowercase(), port))
    }

    fn covers(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).trim_end_matches('.');
        match self {
            Exception::All => true,
            Exception::Host(name, port) => {
                let below = host.strip_suffix(name.as_str());
                below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                    && port.is_none_or(|port| url.port_or_known_default() == Some(port))
            }
            Exception::Network(network, length) => {
                host.parse().is_ok_and(|address: IpAddr| in_network(address, *network, *length))
            }
        }
    }
}

fn in_network(address: IpAddr, network: IpAddr, length: u8) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        IpAddr::V6(address) => u128::from(address),
    };
    let differing = bits(address) ^ bits(network);
    address.is_ipv4() == network.is_ipv4() && (length == 0 || differing >> (128 - u32::from(length)) == 0)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn route(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let proxies = Proxies::of(&Host::with(Path::new("/"), Path::new("/"), variables)).unwrap();
        proxies.for_url(&url.parse().unwrap()).map(ToString::to_string)
    }

    #[test]
    fn the_scheme_decides_and_all_proxy_fills_in() {
        let variables = [("HTTPS_PROXY", "proxy.example:3128"), ("ALL_PROXY", "http://other.example")];
        assert_eq!(route(&variables, "https://pypi.org/").as_deref(), Some("http://proxy.example:3128/"));
        assert_eq!(route(&variables, "http://pypi.org/").as_deref(), Some("http://other.example/"));
        assert_eq!(route(&[("HTTP_PROXY", "http://evil"), ("REQUEST_METHOD", "GET")], "http://pypi.org/"), None);
        let ours = route(&[("http_proxy", "http://ours"), ("REQUEST_METHOD", "GET")], "http://pypi.org/");
        assert_eq!(ours.as_deref(), Some("http://ours/"));
    }

    #[test]
    fn exceptions_are_names_networks_and_all() {
        let direct = |exceptions, url| route(&[("http_proxy", "p"), ("NO_PROXY", exceptions)], url).is_none();
        assert!(direct("a.example, .b.example", "http://x.b.example/"));
        assert!(direct("b.example", "http://b.example:8080/"));
        assert!(!direct("b.example:80", "http://b.example:8080/"));
        assert!(!direct("example", "http://notexample/"));
        assert!(direct("10.0.0.0/8", "http://10.1.2.3/") && !direct("10.0.0.0/8", "http://11.1.2.3/"));
        assert!(direct("::1", "http://[::1]:8080/") && direct("*", "http://any/"));
        assert!(!direct("", "http://127.0.0.1/"));
    }

    #[test]
    fn a_wrong_proxy_is_an_error_that_keeps_its_password() {
        let host = Host::with(Path::new("/"), Path::new("/"), &[("ALL_PROXY", "socks5://me:secret@p:1080")]);
        let message = Proxies::of(&host).unwrap_err().to_string();
        // Windows finds it under the first of the names that are asked for.
        let name = if cfg!(windows) { "all_proxy" } else { "ALL_PROXY" };
        assert!(message.contains(name) && message.contains("socks5") && !message.contains("secret"), "{message}");
    }
}
