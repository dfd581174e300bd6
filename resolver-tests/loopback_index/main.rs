//! A package index on 127.0.0.1, for timings and end-to-end runs: `cargo run --release --example loopback-index -- --wheels DIR`.
//!
//! It serves a folder of real wheels as an index that is fast and costs little CPU: a thread per connection, files by
//! `sendfile`, hashes computed once and kept beside the wheels. The first line on stdout is the address.
//!
//! - `/simple/<project>/`: PEP 691 JSON or PEP 503 HTML, as `Accept` asks, with sizes, hashes and PEP 658 metadata
//! - `/whl/<variant>/<project>/`: the pages of a PyTorch index (`--pytorch DIR`, which holds `<variant>/*.whl`); 403 for what is missing
//! - `/files/…`: the wheels, with ranges, validators and `If-Range`
//! - `/__stats`: what was served so far, as JSON

mod connection;
mod pages;
mod request;
mod shelf;
mod stats;
mod throttle;

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use connection::{Connection, Site};
use shelf::Shelf;
use stats::Stats;

const USAGE: &str =
    "usage: loopback-index --wheels DIR [--pytorch DIR] [--port N] [--limit BYTES_PER_SECOND] [--no-metadata]";

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1))
        .and_then(|options| serve(&options).map_err(|error| error.to_string()))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nobody reads this when stderr is closed.
            let _ = writeln!(io::stderr(), "loopback-index: {message}");
            ExitCode::from(2)
        }
    }
}

/// What was typed.
#[derive(Default)]
struct Options {
    wheels: PathBuf,
    pytorch: Option<PathBuf>,
    port: u16,
    limit: Option<u64>,
    no_metadata: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value\n{USAGE}"));
            match argument.as_str() {
                "--wheels" => options.wheels = value()?.into(),
                "--pytorch" => options.pytorch = Some(value()?.into()),
                "--port" => options.port = value()?.parse().map_err(|_| format!("--port wants a port\n{USAGE}"))?,
                "--limit" => match value()?.parse() {
                    Ok(0) | Err(_) => return Err(format!("--limit wants bytes per second\n{USAGE}")),
                    Ok(rate) => options.limit = Some(rate),
                },
                "--no-metadata" => options.no_metadata = true,
                unknown => return Err(format!("unknown argument {unknown}\n{USAGE}")),
            }
        }
        if options.wheels.as_os_str().is_empty() {
            return Err(format!("--wheels is missing\n{USAGE}"));
        }
        Ok(options)
    }
}

fn serve(options: &Options) -> io::Result<()> {
    let site = Arc::new(Site {
        shelf: Shelf::open(&options.wheels, options.pytorch.as_deref())?,
        with_metadata: !options.no_metadata,
        limit: options.limit,
        stats: Stats::default(),
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "http://{}", listener.local_addr()?)?;
    stdout.flush()?;
    for stream in listener.incoming() {
        let stream = stream?;
        let site = Arc::clone(&site);
        thread::Builder::new().stack_size(256 * 1024).spawn(move || {
            // A client that hangs up in the middle is its own affair.
            let _ = Connection::new(stream, &site).and_then(Connection::run);
        })?;
    }
    Ok(())
}
