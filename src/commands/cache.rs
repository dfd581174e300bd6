//! `torchfix cache`: what is kept between runs.

use serde_json::{Value, json};

use super::session::Session;
use crate::cli::CacheCommand;
use crate::error::Error;
use crate::report::bytes;
use crate::vocab::ExitStatus;
use crate::wheel::Cache;

/// Shows or clears what is kept between runs.
pub(super) fn run(session: &Session, command: CacheCommand) -> Result<ExitStatus, Error> {
    let dir = session.cache_dir()?;
    let (text, fields) = match command {
        CacheCommand::Dir => (dir.display().to_string(), Vec::new()),
        CacheCommand::Size => {
            let size = Cache::open(dir)?.size()?;
            (bytes(size), vec![("bytes", size)])
        }
        CacheCommand::Prune | CacheCommand::Clean => {
            let cache = Cache::open(dir)?;
            let swept = if matches!(command, CacheCommand::Prune) { cache.prune()? } else { cache.clean()? };
            let text = format!("removed {} wheels, {}", swept.wheels, bytes(swept.bytes));
            (text, vec![("removed_wheels", swept.wheels), ("removed_bytes", swept.bytes)])
        }
    };
    if session.output.json {
        let mut object = json!({ "schema": "torchfix.cache/1", "dir": dir });
        for (name, number) in fields {
            object[name] = Value::from(number);
        }
        session.output.answer_json(&object);
    } else {
        session.output.answer(&text);
    }
    Ok(ExitStatus::Done)
}
