//! The solver against brute force: an oracle written from the rules, random machines and catalogs, and every card with
//! every driver.
#![allow(clippy::unwrap_used, clippy::format_push_string)]

#[path = "oracle/case.rs"]
mod case;
#[path = "oracle/compare.rs"]
mod compare;
#[path = "oracle/facts.rs"]
mod facts;
#[path = "oracle/knowledge.rs"]
mod knowledge;
#[path = "oracle/machine.rs"]
mod machine;
#[path = "oracle/need.rs"]
mod need;
#[path = "oracle/random.rs"]
mod random;
#[path = "oracle/rules.rs"]
mod rules;
#[path = "oracle/runner.rs"]
mod runner;
#[path = "oracle/search.rs"]
mod search;
#[path = "oracle/shelf.rs"]
mod shelf;
#[path = "oracle/stock.rs"]
mod stock;
#[path = "oracle/sweep.rs"]
mod sweep;
#[path = "oracle/version.rs"]
mod version;
#[path = "oracle/wheel.rs"]
mod wheel;
