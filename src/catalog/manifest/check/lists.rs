//! Lists that say nothing, or the same thing twice.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::catalog::manifest::document::Document;

/// Tells of empty lists, and of words that stand twice in one.
pub fn check(document: &mut Document) {
    let mut found = Vec::new();
    in_table(document.table(), &mut found);
    for (place, message) in found {
        document.fault(place, message);
    }
}

fn in_table(table: &DeTable, found: &mut Vec<(Range<usize>, String)>) {
    table.iter().for_each(|(_, value)| in_value(value, found));
}

fn in_value(value: &Spanned<DeValue>, found: &mut Vec<(Range<usize>, String)>) {
    match value.get_ref() {
        DeValue::Table(table) => in_table(table, found),
        DeValue::Array(array) if array.is_empty() => found.push((value.span(), "the list is empty".to_owned())),
        DeValue::Array(array) => {
            let mut seen = BTreeSet::new();
            for element in array {
                if let Some(word) = element.get_ref().as_str()
                    && !seen.insert(word)
                {
                    found.push((element.span(), format!("`{word}` stands twice in this list")));
                }
                in_value(element, found);
            }
        }
        _ => {}
    }
}
