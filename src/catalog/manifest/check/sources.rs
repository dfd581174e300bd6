//! Whether every row says where it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::catalog::manifest::document::Document;
use crate::catalog::manifest::nearest::nearest;

/// Tells of keys in a `source` that `[sources]` does not explain.
pub fn unknown(document: &mut Document) {
    let explained: BTreeSet<String> = explained(document).into_keys().collect();
    for (key, place) in named(document) {
        if !explained.contains(&key) {
            let meant = nearest(&key, explained.iter().map(String::as_str));
            let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            document.fault(place, format!("`[sources]` does not explain `{key}`{meant}"));
        }
    }
}

/// Tells of sources that no row comes from, and of two keys for one source.
pub fn unused(document: &mut Document) {
    let named: BTreeSet<String> = named(document).into_iter().map(|(key, _)| key).collect();
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (key, (text, place)) in explained(document) {
        if !named.contains(&key) {
            document.fault(place.clone(), format!("no row comes from `{key}`"));
        }
        if let Some(other) = texts.insert(text, key.clone()) {
            document.fault(place, format!("`{key}` and `{other}` are the same source"));
        }
    }
}

/// The keys of `[sources]`, with what they stand for and where they are.
fn explained(document: &Document) -> BTreeMap<String, (String, Range<usize>)> {
    let sources = document.table().get("sources").and_then(|sources| sources.get_ref().as_table());
    let entry = |(key, value): (&toml::Spanned<toml::de::DeString>, &toml::Spanned<DeValue>)| {
        let text = value.get_ref().as_str().unwrap_or_default().to_owned();
        (key.get_ref().to_string(), (text, key.span()))
    };
    sources.map(|sources| sources.iter().map(entry).collect()).unwrap_or_default()
}

/// What stands in every `source`, and where.
fn named(document: &Document) -> Vec<(String, Range<usize>)> {
    let mut found = Vec::new();
    in_table(document.table(), &mut found);
    found
}

fn in_table(table: &DeTable, found: &mut Vec<(String, Range<usize>)>) {
    for (key, value) in table {
        match value.get_ref() {
            DeValue::Array(keys) if key.get_ref() == "source" => {
                let keys = keys.iter().filter_map(|key| Some((key.get_ref().as_str()?.to_owned(), key.span())));
                found.extend(keys);
            }
            other => in_value(other, found),
        }
    }
}

fn in_value(value: &DeValue, found: &mut Vec<(String, Range<usize>)>) {
    match value {
        DeValue::Table(table) => in_table(table, found),
        DeValue::Array(array) => array.iter().for_each(|element| in_value(element.get_ref(), found)),
        _ => {}
    }
}
