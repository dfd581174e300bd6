//! What a DLL imports, when it is loaded and later.

use std::fmt;

use object::{ReadRef, pe};
use serde::Serialize;

use super::fault::{PeFault, malformed};
use super::headers::{Directory, Headers};
use super::ranges::Ranges;

/// More than any DLL has: torch's largest imports some ten thousand names of a dozen libraries.
const MOST_LIBRARIES: usize = 1024;
const MOST_SYMBOLS: usize = 1 << 18;
/// The bytes of all names that are read out of one DLL, those that it imports and those that it exports.
pub const MOST_NAME_BYTES: usize = 64 << 20;
/// Decorated names of C++ end at 4096.
pub(super) const LONGEST_NAME: usize = 8192;

/// A function or a variable of another DLL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Symbol {
    /// By its name.
    Name(String),
    /// By its number.
    Ordinal(u16),
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ordinal(ordinal) => write!(f, "#{ordinal}"),
        }
    }
}

/// A DLL that another imports from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportedLibrary {
    /// Its file name, as written.
    pub name: String,
    /// What is imported of it.
    pub symbols: Vec<Symbol>,
}

impl ImportedLibrary {
    /// The memory that it takes, in bytes, about.
    pub(super) fn weight(&self) -> usize {
        let name = |symbol: &Symbol| if let Symbol::Name(name) = symbol { name.len() } else { 0 };
        let symbols = self.symbols.iter().map(|symbol| size_of::<Symbol>() + name(symbol));
        size_of::<Self>() + self.name.len() + symbols.sum::<usize>()
    }

    /// Whether a function of this name is imported.
    pub fn has(&self, name: &str) -> bool {
        self.symbols.iter().any(|symbol| matches!(symbol, Symbol::Name(known) if known == name))
    }
}

/// Reads import tables, within limits that hold for all of them together.
pub struct ImportReader<'a, 'data, R> {
    ranges: &'a Ranges<'data, 'a, R>,
    is_64: bool,
    symbols: usize,
    name_bytes: usize,
}

impl<'a, 'data, R: ReadRef<'data>> ImportReader<'a, 'data, R> {
    pub fn new(ranges: &'a Ranges<'data, 'a, R>, headers: &Headers) -> Self {
        Self { ranges, is_64: headers.is_64, symbols: 0, name_bytes: 0 }
    }

    /// What must be there when the DLL is loaded.
    pub fn at_load(&mut self, directory: Directory) -> Result<Vec<ImportedLibrary>, PeFault> {
        let fault = malformed("import table");
        let mut libraries = Vec::new();
        for index in 0.. {
            if index > MOST_LIBRARIES {
                return Err(fault);
            }
            // OriginalFirstThunk, TimeDateStamp, ForwarderChain, Name, FirstThunk
            let entry: [u8; 20] = self.entry(directory, index).ok_or(fault.clone())?;
            let (lookup, name, addresses) = (field(&entry, 0), field(&entry, 12), field(&entry, 16));
            if name == 0 || addresses == 0 {
                break;
            }
            let thunks = if lookup == 0 { addresses } else { lookup };
            libraries.push(self.library(name, thunks).ok_or(fault.clone())?);
        }
        Ok(libraries)
    }

    /// What is loaded when it is first called. The system never looks at it, so damage here keeps no DLL from being
    /// loaded: the rest is left out.
    pub fn delayed(&mut self, directory: Directory) -> Vec<ImportedLibrary> {
        let mut libraries = Vec::new();
        for index in 0..MOST_LIBRARIES {
            let Some(entry) = self.entry::<32>(directory, index) else { break };
            let (attributes, name, thunks) = (field(&entry, 0), field(&entry, 4), field(&entry, 16));
            // Without the bit the fields are addresses of a 32-bit process, as compilers of the 1990s wrote them.
            if name == 0 || attributes & pe::IMAGE_DELAYLOAD_RVA_BASED == 0 {
                break;
            }
            let Some(library) = self.library(name, thunks) else { break };
            libraries.push(library);
        }
        libraries
    }

    fn entry<const N: usize>(&self, directory: Directory, index: usize) -> Option<[u8; N]> {
        let step = u32::try_from(index.checked_mul(N)?).ok()?;
        self.ranges.bytes(directory.address.checked_add(step)?)
    }

    fn library(&mut self, name: u32, thunks: u32) -> Option<ImportedLibrary> {
        let name = self.name(name)?;
        let mut symbols = Vec::new();
        let (step, ordinal_flag) = if self.is_64 { (8, 1 << 63) } else { (4, 1 << 31) };
        let mut at = thunks;
        loop {
            let thunk =
                if self.is_64 { u64::from_le_bytes(self.ranges.bytes(at)?) } else { u64::from(self.ranges.u32(at)?) };
            if thunk == 0 {
                return Some(ImportedLibrary { name, symbols });
            }
            self.symbols += 1;
            if self.symbols > MOST_SYMBOLS {
                return None;
            }
            symbols.push(if thunk & ordinal_flag == 0 {
                // Two bytes in front are a guess where the name stands in the other's table.
                Symbol::Name(self.name(u32::try_from(thunk).ok()?.checked_add(2)?)?)
            } else {
                Symbol::Ordinal(u16::try_from(thunk & 0xffff).ok()?)
            });
            at = at.checked_add(step)?;
        }
    }

    fn name(&mut self, address: u32) -> Option<String> {
        let name = self.ranges.text(address, LONGEST_NAME).filter(|name| !name.is_empty())?;
        self.name_bytes += name.len();
        (self.name_bytes <= MOST_NAME_BYTES).then_some(name)
    }
}

fn field(entry: &[u8], at: usize) -> u32 {
    entry.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}
