//! One manifest as it is checked: its rows as far as they can be read, and every fault with its line.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::fault::{Fault, Step, position};
use super::nearest::nearest;
use super::rows::SCHEMA;
use super::texts::ManifestText;

/// After so many faults of form the rest is not worth reading.
const ENOUGH: usize = 100;

/// A manifest, parsed, and what was found wrong in it.
pub struct Document<'a> {
    text: &'a ManifestText,
    tree: Spanned<DeTable<'a>>,
    is_toml: bool,
    faults: Vec<Fault>,
}

impl<'a> Document<'a> {
    /// Parses a text; that it is not TOML is a fault.
    pub fn of(text: &'a ManifestText) -> Self {
        let (tree, errors) = DeTable::parse_recoverable(&text.text);
        let mut document = Self { text, tree, is_toml: errors.is_empty(), faults: Vec::new() };
        for error in errors {
            document.fault(error.span().unwrap_or_default(), first_line(error.message()));
        }
        document
    }

    /// The rows, when all of them can be read; all that cannot is a fault.
    pub fn rows<T: DeserializeOwned>(&mut self) -> Option<T> {
        if !self.is_toml || !self.is_of_this_schema() {
            return None;
        }
        let mut tree = self.tree.clone();
        let mut misspelt: Vec<Range<usize>> = Vec::new();
        let mut complete = true;
        for _ in 0..ENOUGH {
            let error = match T::deserialize(Deserializer::from(tree.clone())) {
                Ok(rows) => return complete.then_some(rows),
                Err(error) => error,
            };
            let span = error.span().unwrap_or_default();
            if let Some((wrong, known)) = unknown_key(error.message())
                && let Some(row) = remove_key(&mut tree, &span)
            {
                self.fault(span, unknown_key_message(wrong, &known));
                misspelt.push(row);
                continue;
            }
            // What is missing where a key is misspelt is that key.
            if !(error.message().starts_with("missing field") && misspelt.contains(&span)) {
                self.fault(span.clone(), first_line(error.message()));
            }
            complete = false;
            if !remove_row(tree.get_mut(), &span) {
                return None;
            }
        }
        None
    }

    fn is_of_this_schema(&mut self) -> bool {
        let stated = self.tree.get_ref().get("schema");
        let number = stated.and_then(|value| value.get_ref().as_integer()).map(|number| number.as_str().to_owned());
        match (number, stated.map(Spanned::span)) {
            (Some(number), Some(span)) if number != SCHEMA.to_string() => {
                self.fault(span, format!("this is schema {number}, and this torchfix reads {SCHEMA}"));
                false
            }
            _ => true,
        }
    }

    /// A fault of the value at the end of these steps, or of the nearest value on the way that is there.
    pub fn at(&mut self, steps: &[Step], message: impl Into<String>) {
        let span = self.span_of(steps);
        self.fault(span, message);
    }

    /// The line of the value at the end of these steps.
    pub fn line_of(&self, steps: &[Step]) -> usize {
        position(&self.text.text, &self.span_of(steps)).0
    }

    /// A fault of a range of the text.
    pub fn fault(&mut self, span: Range<usize>, message: impl Into<String>) {
        let (line, column) = position(&self.text.text, &span);
        self.faults.push(Fault { file: self.text.path.clone(), line, column, message: message.into() });
    }

    /// Everything in it, values and keys as they stand.
    pub fn table(&self) -> &DeTable<'a> {
        self.tree.get_ref()
    }

    /// What was found, in the order of the lines.
    pub fn into_faults(mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|fault| (fault.line, fault.column));
        self.faults
    }

    fn span_of(&self, steps: &[Step]) -> Range<usize> {
        let mut span = 0..0;
        let mut table = Some(self.tree.get_ref());
        let mut array: Option<&DeArray> = None;
        for step in steps {
            let value = match step {
                Step::Key(key) => table.and_then(|table| table.get(*key)),
                Step::Index(index) => array.and_then(|array| array.get(*index)),
            };
            let Some(value) = value else { break };
            span = value.span();
            (table, array) = (value.get_ref().as_table(), value.get_ref().as_array());
        }
        span
    }
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

/// The key that serde does not know, and those it does.
fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field ")?;
    let mut words = rest.split('`').skip(1).step_by(2);
    Some((words.next()?, words.collect()))
}

fn unknown_key_message(wrong: &str, known: &[&str]) -> String {
    match nearest(wrong, known.iter().copied()) {
        Some(meant) => format!("`{wrong}` is no key here; did you mean `{meant}`?"),
        None => format!("`{wrong}` is no key here; the keys are {}", known.join(", ")),
    }
}

/// Removes the key at a place, wherever it is; the place of its table, when it was there.
fn remove_key(table: &mut Spanned<DeTable<'_>>, key: &Range<usize>) -> Option<Range<usize>> {
    let place = table.span();
    remove_key_in(table.get_mut(), place, key)
}

fn remove_key_in(table: &mut DeTable<'_>, place: Range<usize>, key: &Range<usize>) -> Option<Range<usize>> {
    let found = table.keys().find(|candidate| candidate.span() == *key).map(|found| found.get_ref().to_string());
    if let Some(found) = found {
        table.remove(found.as_str());
        return Some(place);
    }
    table.iter_mut().find_map(|(_, value)| remove_key_under(value, key))
}

fn remove_key_under(value: &mut Spanned<DeValue<'_>>, key: &Range<usize>) -> Option<Range<usize>> {
    let place = value.span();
    match value.get_mut() {
        DeValue::Table(table) => remove_key_in(table, place, key),
        DeValue::Array(array) => array.iter_mut().find_map(|element| remove_key_under(element, key)),
        _ => None,
    }
}

/// Removes the smallest row, a table in a list, that has this place in it.
fn remove_row(table: &mut DeTable<'_>, place: &Range<usize>) -> bool {
    table.iter_mut().any(|(_, value)| remove_row_under(value.get_mut(), place))
}

fn remove_row_under(value: &mut DeValue<'_>, place: &Range<usize>) -> bool {
    let array = match value {
        DeValue::Table(table) => return remove_row(table, place),
        DeValue::Array(array) => array,
        _ => return false,
    };
    if array.iter_mut().any(|element| remove_row_under(element.get_mut(), place)) {
        return true;
    }
    let row = array.iter().position(|element| element.get_ref().is_table() && covers(element, place));
    let Some(row) = row else { return false };
    let elements = std::mem::replace(array, DeArray::new()).into_iter().enumerate();
    *array = elements.filter(|(index, _)| *index != row).map(|(_, element)| element).collect();
    true
}

/// Whether a place lies in a value; the place of a `[[table]]` is that of its header alone.
fn covers(value: &Spanned<DeValue<'_>>, place: &Range<usize>) -> bool {
    let within = |span: Range<usize>| span.start <= place.start && place.end <= span.end;
    within(value.span())
        || match value.get_ref() {
            DeValue::Table(table) => table.iter().any(|(key, value)| within(key.span()) || covers(value, place)),
            DeValue::Array(array) => array.iter().any(|element| covers(element, place)),
            _ => false,
        }
}
