//! torchfix takes a bare machine, or a broken virtual environment, to a PyTorch that provably works on the GPU in it.

pub mod catalog;
pub mod cli;
pub mod commands;
pub mod error;
pub mod fetch;
pub mod host;
pub mod http;
pub mod install;
pub mod loader;
pub mod lock;
pub mod machine;
pub mod pe;
pub mod progress;
pub mod report;
pub mod request;
pub mod resolve;
pub mod variables;
pub mod venv;
pub mod vocab;
pub mod wheel;
pub mod zip;
