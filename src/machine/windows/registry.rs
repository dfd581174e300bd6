//! The registry, as far as it is read.

use crate::host::Host;
use crate::machine::platform::is_real;

/// A registry that can be read; paths begin with `HKLM` or `HKCU`, names are compared without regard to case.
pub trait Registry {
    /// The names of the keys under a key; `None` when there is no such key, or it may not be read.
    fn keys(&self, path: &str) -> Option<Vec<String>>;
    /// A value of a key; the nameless one is called by an empty name.
    fn value(&self, path: &str, name: &str) -> Option<RegistryValue>;

    /// A value that is a text: without control characters, and not empty.
    fn text(&self, path: &str, name: &str) -> Option<String> {
        let Some(RegistryValue::Text(text)) = self.value(path, name) else { return None };
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A value that is a number.
    fn number(&self, path: &str, name: &str) -> Option<u64> {
        match self.value(path, name) {
            Some(RegistryValue::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// A value that is a list of texts; none when it is not there.
    fn texts(&self, path: &str, name: &str) -> Vec<String> {
        match self.value(path, name) {
            Some(RegistryValue::Texts(texts)) => texts,
            _ => Vec::new(),
        }
    }
}

/// A value of the kinds that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(any(windows, test)), allow(dead_code, reason = "elsewhere there is no registry to read them from"))]
pub enum RegistryValue {
    /// `REG_SZ`, `REG_EXPAND_SZ`.
    Text(String),
    /// `REG_MULTI_SZ`.
    Texts(Vec<String>),
    /// `REG_DWORD`, `REG_QWORD`.
    Number(u64),
}

/// The registry of the running system; an empty one elsewhere, and while a laid-out tree stands for the system.
pub fn of(host: &Host) -> Box<dyn Registry> {
    if is_real(host) { Box::new(system::SystemRegistry) } else { Box::new(NoRegistry) }
}

/// A registry with nothing in it.
struct NoRegistry;

impl Registry for NoRegistry {
    fn keys(&self, _: &str) -> Option<Vec<String>> {
        None
    }

    fn value(&self, _: &str, _: &str) -> Option<RegistryValue> {
        None
    }
}

/// Other systems have none.
#[cfg(not(windows))]
mod system {
    pub(super) use super::NoRegistry as SystemRegistry;
}

#[cfg(windows)]
mod system {
    use windows_registry::{CURRENT_USER, Key, LOCAL_MACHINE, Type, Value};

    use super::{Registry, RegistryValue};

    /// More keys than any place holds that is looked at.
    const MAX_KEYS: usize = 4096;

    /// That of the running system.
    pub struct SystemRegistry;

    impl Registry for SystemRegistry {
        fn keys(&self, path: &str) -> Option<Vec<String>> {
            Some(open(path)?.keys().ok()?.take(MAX_KEYS).collect())
        }

        fn value(&self, path: &str, name: &str) -> Option<RegistryValue> {
            open(path)?.get_value(name).ok().and_then(read)
        }
    }

    fn open(path: &str) -> Option<Key> {
        let (hive, path) = path.split_once('\\')?;
        match hive {
            "HKLM" => LOCAL_MACHINE.open(path).ok(),
            "HKCU" => CURRENT_USER.open(path).ok(),
            _ => None,
        }
    }

    fn read(value: Value) -> Option<RegistryValue> {
        match value.ty() {
            Type::String | Type::ExpandString => Some(RegistryValue::Text(texts(&value).next().unwrap_or_default())),
            Type::MultiString => Some(RegistryValue::Texts(texts(&value).collect())),
            Type::U32 | Type::U64 => u64::try_from(value).ok().map(RegistryValue::Number),
            _ => None,
        }
    }

    /// The texts up to the last terminator; anyone may have written what is no UTF-16.
    fn texts(value: &Value) -> impl Iterator<Item = String> {
        let units = value.as_wide();
        units.split(|unit| *unit == 0).filter(|text| !text.is_empty()).map(String::from_utf16_lossy)
    }
}

/// A registry that a test makes up.
#[cfg(test)]
#[derive(Default)]
pub struct MadeUpRegistry {
    keys: std::collections::BTreeSet<String>,
    values: std::collections::BTreeMap<(String, String), RegistryValue>,
}

#[cfg(test)]
impl MadeUpRegistry {
    /// Adds a key, and the keys it lies in.
    pub fn add_key(&mut self, path: &str) -> &mut Self {
        for (end, _) in path.match_indices('\\').chain([(path.len(), "")]) {
            self.keys.insert(path[..end].to_owned());
        }
        self
    }

    /// Adds a text.
    pub fn add_text(&mut self, path: &str, name: &str, text: &str) -> &mut Self {
        self.add_value(path, name, RegistryValue::Text(text.to_owned()))
    }

    /// Adds a number.
    pub fn add_number(&mut self, path: &str, name: &str, number: u64) -> &mut Self {
        self.add_value(path, name, RegistryValue::Number(number))
    }

    /// Adds a value.
    pub fn add_value(&mut self, path: &str, name: &str, value: RegistryValue) -> &mut Self {
        self.values.insert((path.to_ascii_lowercase(), name.to_ascii_lowercase()), value);
        self.add_key(path)
    }
}

#[cfg(test)]
impl Registry for MadeUpRegistry {
    fn keys(&self, path: &str) -> Option<Vec<String>> {
        let same = |key: &&String| key.eq_ignore_ascii_case(path);
        self.keys.iter().find(same)?;
        let inside = |key: &String| {
            let (parent, name) = key.rsplit_once('\\')?;
            parent.eq_ignore_ascii_case(path).then(|| name.to_owned())
        };
        Some(self.keys.iter().filter_map(inside).collect())
    }

    fn value(&self, path: &str, name: &str) -> Option<RegistryValue> {
        self.values.get(&(path.to_ascii_lowercase(), name.to_ascii_lowercase())).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_what_they_are() {
        let mut registry = MadeUpRegistry::default();
        registry.add_text(r"HKLM\A\B", "Name", " a\u{1b}[31m \n").add_number(r"HKLM\A\B", "Number", 7).add_text(
            r"HKLM\A\C",
            "",
            " ",
        );
        let registry: &dyn Registry = &registry;
        assert_eq!(registry.keys(r"HKLM\a").unwrap(), ["B", "C"]);
        assert_eq!(registry.keys(r"HKLM\X"), None);
        assert_eq!(registry.text(r"hklm\a\b", "NAME").as_deref(), Some("a[31m"));
        assert_eq!((registry.number(r"HKLM\A\B", "Number"), registry.number(r"HKLM\A\B", "Name")), (Some(7), None));
        assert_eq!((registry.text(r"HKLM\A\C", ""), registry.texts(r"HKLM\A\B", "Name").len()), (None, 0));
    }

    #[test]
    fn a_laid_out_tree_has_none() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::with(root.path(), root.path(), &[]);
        assert_eq!(of(&host).keys(r"HKLM\SOFTWARE"), None);
    }
}
