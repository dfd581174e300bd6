//! Index pages and wheel metadata, fetched, cached and parsed. `Index`, project name → `Page`.

mod client;
mod document;
mod error;
mod flights;
mod folder;
mod html;
mod json;
mod link;
mod metadata;
mod remote_wheel;
mod remote_zip;
mod tags;
mod workers;

pub use client::IndexClient;
pub use document::read_page;
pub use error::{IndexError, PageFault};
pub use remote_wheel::RemoteWheel;
