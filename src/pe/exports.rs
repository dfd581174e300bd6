//! What a DLL exports: its table is kept as it stands in the file, and searched as the loader searches it.

use std::cmp::Ordering;

use super::imports::{LONGEST_NAME, MOST_NAME_BYTES, Symbol};

/// `IMAGE_EXPORT_DIRECTORY` is this long.
const HEADER: usize = 40;

/// The numbers of exports have 16 bits.
const MOST_EXPORTS: u32 = 1 << 16;

/// What a DLL exports.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Exports {
    /// The directory, with the tables and names in it.
    bytes: Vec<u8>,
    /// Where it comes to lie in memory.
    address: u32,
}

/// A function or variable that a DLL exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its number.
    pub ordinal: u32,
    /// What it is.
    pub target: Target,
}

impl Export {
    /// The bytes of all names in it.
    pub fn name_bytes(&self) -> usize {
        let forwarded = match &self.target {
            Target::Forwarded { library, symbol: Symbol::Name(symbol) } => library.len() + symbol.len(),
            Target::Forwarded { library, symbol: Symbol::Ordinal(_) } => library.len(),
            Target::Here => 0,
        };
        self.name.as_ref().map_or(0, String::len) + forwarded
    }
}

/// What an export is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Something in the DLL itself.
    Here,
    /// Something that another DLL exports.
    Forwarded {
        /// The other DLL's file name.
        library: String,
        /// What it exports.
        symbol: Symbol,
    },
}

impl Exports {
    pub(super) fn new(bytes: Vec<u8>, address: u32) -> Self {
        Self { bytes, address }
    }

    /// What is exported as `symbol`.
    pub fn find(&self, symbol: &Symbol) -> Option<Target> {
        let index = match symbol {
            Symbol::Name(name) => self.index_of(name.as_bytes())?,
            Symbol::Ordinal(ordinal) => u32::from(*ordinal).checked_sub(self.base()?)?,
        };
        self.target(index)
    }

    /// The memory that they take, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.bytes.len()
    }

    /// The number of named exports, as the header states it.
    pub fn named(&self) -> usize {
        self.name_count() as usize
    }

    /// All exports: those with names in the order of their names, then those without.
    pub fn iter(&self) -> impl Iterator<Item = Export> {
        let base = self.base().unwrap_or(0);
        let mut nameless = vec![true; self.function_count() as usize];
        let mut exports = Vec::new();
        // Names may lie over each other, and be many times what the file has.
        let mut name_bytes = 0;
        let mut has_room = |export: &Export| {
            name_bytes += export.name_bytes();
            name_bytes <= MOST_NAME_BYTES
        };
        for place in 0..self.name_count() {
            let Some(index) = self.ordinal_at(place) else { break };
            let (Some(name), Some(target)) = (self.name_at(place), self.target(index)) else { continue };
            if let Some(nameless) = nameless.get_mut(index as usize) {
                *nameless = false;
            }
            let name = Some(String::from_utf8_lossy(name).into_owned());
            let export = Export { name, ordinal: base.saturating_add(index), target };
            if !has_room(&export) {
                return exports.into_iter();
            }
            exports.push(export);
        }
        for index in (0..self.function_count()).filter(|index| nameless[*index as usize]) {
            let Some(target) = self.target(index) else { continue };
            let export = Export { name: None, ordinal: base.saturating_add(index), target };
            if !has_room(&export) {
                break;
            }
            exports.push(export);
        }
        exports.into_iter()
    }

    /// The loader trusts the names to be sorted, and so do we.
    fn index_of(&self, name: &[u8]) -> Option<u32> {
        let (mut low, mut high) = (0, self.name_count());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name_at(middle)?.cmp(name) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return self.ordinal_at(middle),
            }
        }
        None
    }

    fn target(&self, index: u32) -> Option<Target> {
        if index >= self.function_count() {
            return None;
        }
        let address = self.u32_in(28, index)?;
        if address == 0 {
            return None;
        }
        // What points into the directory itself is the name of another DLL's export.
        let Some(forward) = self.text(address) else { return Some(Target::Here) };
        let forward = String::from_utf8_lossy(forward);
        let (library, symbol) = forward.rsplit_once('.')?;
        let symbol = match symbol.strip_prefix('#') {
            Some(ordinal) => Symbol::Ordinal(ordinal.parse().ok()?),
            None => Symbol::Name(symbol.to_owned()),
        };
        let library = if library.contains('.') { library.to_owned() } else { format!("{library}.dll") };
        Some(Target::Forwarded { library, symbol })
    }

    fn base(&self) -> Option<u32> {
        self.u32_at(16)
    }

    fn function_count(&self) -> u32 {
        self.count(20, 4)
    }

    fn name_count(&self) -> u32 {
        self.count(24, 4)
    }

    /// A count in the header, no larger than what has room in the directory.
    fn count(&self, field: usize, entry: usize) -> u32 {
        let room = u32::try_from(self.bytes.len().saturating_sub(HEADER) / entry).unwrap_or(u32::MAX);
        self.u32_at(field).unwrap_or(0).min(room).min(MOST_EXPORTS)
    }

    fn name_at(&self, place: u32) -> Option<&[u8]> {
        self.text(self.u32_in(32, place)?)
    }

    fn ordinal_at(&self, place: u32) -> Option<u32> {
        let table = self.offset(self.u32_at(36)?)?;
        let at = table.checked_add((place as usize).checked_mul(2)?)?;
        let bytes = self.bytes.get(at..at.checked_add(2)?)?;
        Some(u32::from(u16::from_le_bytes(bytes.try_into().ok()?)))
    }

    /// An entry of the table whose address stands in the header.
    fn u32_in(&self, header_field: usize, place: u32) -> Option<u32> {
        let table = self.offset(self.u32_at(header_field)?)?;
        self.u32_at(table.checked_add((place as usize).checked_mul(4)?)?)
    }

    fn u32_at(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?;
        bytes.try_into().ok().map(u32::from_le_bytes)
    }

    /// Where in the directory an address lies; `None` where it lies elsewhere.
    fn offset(&self, address: u32) -> Option<usize> {
        let offset = address.checked_sub(self.address)? as usize;
        (offset < self.bytes.len()).then_some(offset)
    }

    fn text(&self, address: u32) -> Option<&[u8]> {
        let rest = self.bytes.get(self.offset(address)?..)?;
        let rest = &rest[..rest.len().min(LONGEST_NAME + 1)];
        Some(&rest[..rest.iter().position(|byte| *byte == 0)?])
    }
}

impl std::fmt::Debug for Exports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Exports({} named)", self.named())
    }
}
