//! Whether the rows about DLLs agree with themselves.

use super::{at, twice};
use crate::catalog::manifest::document::Document;
use crate::catalog::manifest::rows::{AbsentDll, DllFacts, FallbackFolder, RuntimeDll};

/// What may stand in braces.
const PLACES: [&str; 6] = ["{torch}", "{prefix}", "{base}", "{user}", "{programs}", "{cuda}"];

pub fn check(document: &mut Document, facts: &DllFacts) {
    twice(document, "runtime", &facts.runtime, |row: &RuntimeDll| row.name.to_lowercase(), |row| row.name.clone());
    let key = |row: &AbsentDll| (row.name.to_lowercase(), row.torch.as_ref().map(ToString::to_string));
    twice(document, "absent", &facts.absent, key, |row| row.name.clone());
    for (index, row) in facts.folder.iter().enumerate() {
        braces(document, &row.path, "folder", index, "path");
    }
    for (index, FallbackFolder { variable, default, .. }) in facts.fallback.iter().enumerate() {
        braces(document, variable, "fallback", index, "variable");
        braces(document, default, "fallback", index, "default");
    }
    for (index, row) in facts.absent.iter().enumerate() {
        if row.unobtainable && row.name.contains('*') {
            let message = format!("`{}` is looked for on the machine, for which it needs its whole name", row.name);
            document.at(at!["absent", index, "name"], message);
        }
    }
    for (index, row) in facts.floor.iter().enumerate() {
        if facts.runtime(&row.name).is_none() {
            let message = format!("`{}` is no part of the C runtime that a row names", row.name);
            document.at(at!["floor", index, "name"], message);
        }
    }
}

fn braces(document: &mut Document, text: &str, list: &'static str, index: usize, key: &'static str) {
    let left = PLACES.iter().fold(text.to_owned(), |text, place| text.replace(place, ""));
    if left.contains(['{', '}']) {
        document.at(at![list, index, key], format!("`{text}` has a place that is none of {}", PLACES.join(", ")));
    }
}
