//! The network: one client a process, with proxies, TLS, credentials, retries and ranges. `Host` → `Client`.

mod body;
mod client;
mod credentials;
mod error;
mod local;
mod page;
mod page_cache;
mod proxy;
mod range;
mod retry;
mod tls;
mod twins;
mod validator;

pub use body::Body;
pub use client::{Client, Options};
pub(crate) use credentials::percent_decoded;
pub use credentials::redacted;
pub use error::{HttpError, RedirectFault, Unreached, WrongRange};
pub use page::PageBody;
pub use page_cache::PageCache;
pub use range::{ByteRange, Span};
pub use twins::TwinHosts;
pub use validator::{ParseValidatorError, Validator};
