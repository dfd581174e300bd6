//! The members of a JSON object, read leniently, with errors that name the key.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::{FactsError, Source};

/// An object of the facts, and where it stands.
pub struct Keys<'a> {
    /// Its members.
    pub map: &'a Map<String, Value>,
    /// What stands before the name of a member in an error: empty, or `driver.`.
    pub path: String,
}

impl<'a> Keys<'a> {
    /// A value that is there and not null.
    pub fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// The error that a value is something else than it should be.
    pub fn invalid(&self, key: &str, expected: &'static str) -> FactsError {
        let found = shown(self.map.get(key).unwrap_or(&Value::Null));
        FactsError::Invalid { key: format!("{}{key}", self.path), found, expected }
    }

    /// A text that is read in some way.
    pub fn read<T>(
        &self,
        key: &str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, FactsError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => read(text).map(Some).ok_or_else(|| self.invalid(key, expected)),
            Some(_) => Err(self.invalid(key, expected)),
        }
    }

    /// A text of a type that can be parsed.
    pub fn parsed<T: FromStr<Err: Display>>(&self, key: &str, expected: &'static str) -> Result<Option<T>, FactsError> {
        self.read(key, expected, |text| text.parse().ok())
    }

    /// A text as it is.
    pub fn text(&self, key: &str, expected: &'static str) -> Result<Option<String>, FactsError> {
        self.read(key, expected, |text| Some(text.to_owned()))
    }

    /// The name of a source; one that is not known is [`Source::Unknown`].
    pub fn source(&self, key: &str) -> Result<Option<Source>, FactsError> {
        self.read(key, "a text", |text| Some(serde_json::from_value(Value::from(text)).unwrap_or(Source::Unknown)))
    }

    /// True or false.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, FactsError> {
        self.value(key).map(|value| value.as_bool().ok_or_else(|| self.invalid(key, "true or false"))).transpose()
    }

    /// A whole number, at most `most`.
    pub fn number(&self, key: &str, most: u64) -> Result<Option<u64>, FactsError> {
        let read = |value: &Value| value.as_u64().filter(|number| *number <= most);
        self.value(key).map(|value| read(value).ok_or_else(|| self.invalid(key, "a whole number"))).transpose()
    }

    /// A list.
    pub fn list(&self, key: &str) -> Result<Option<&'a [Value]>, FactsError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(self.invalid(key, "a list")),
        }
    }

    /// A list of texts; none when it is absent.
    pub fn texts(&self, key: &str) -> Result<Vec<String>, FactsError> {
        let list = self.list(key)?.unwrap_or_default();
        list.iter().map(|text| text.as_str().map(str::to_owned).ok_or_else(|| self.invalid(key, "texts"))).collect()
    }

    /// An object within.
    pub fn object(&self, key: &str) -> Result<Option<Keys<'a>>, FactsError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Keys { map, path: format!("{}{key}.", self.path) })),
            Some(_) => Err(self.invalid(key, "an object")),
        }
    }
}

/// A value as an error shows it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        scalar => format!("`{}`", plain(scalar)),
    }
}

/// A value as JSON, shortened.
pub fn plain(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 80 { text.chars().take(79).chain(['…']).collect() } else { text }
}
