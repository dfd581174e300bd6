//! The network: one client a process, with proxies, TLS, credentials, retries and ranges. `Host` → `Client`.
