//! Small DLLs made byte by byte: what they import, export and state, and no code.

const BASE: u32 = 0x1000;
const HEADERS: u32 = 0x400;

/// An entry of a resource directory that leads to another one.
const SUBTABLE: u32 = 1 << 31;

/// `IMAGE_FILE_MACHINE_AMD64`
pub const AMD64: u16 = 0x8664;
/// `IMAGE_FILE_MACHINE_I386`
pub const I386: u16 = 0x14c;

/// A DLL to be built. A symbol `#7` is the ordinal 7.
#[derive(Clone)]
pub struct Dll {
    machine: u16,
    linker: (u8, u8),
    imports: Vec<(String, Vec<String>)>,
    delayed: Vec<(String, Vec<String>)>,
    exports: Vec<(String, Option<String>)>,
    version: Option<[u16; 4]>,
}

impl Dll {
    pub fn new() -> Self {
        Self {
            machine: AMD64,
            linker: (14, 29),
            imports: Vec::new(),
            delayed: Vec::new(),
            exports: Vec::new(),
            version: None,
        }
    }

    pub fn machine(mut self, machine: u16) -> Self {
        self.machine = machine;
        self
    }

    pub fn linker(mut self, major: u8, minor: u8) -> Self {
        self.linker = (major, minor);
        self
    }

    pub fn imports(mut self, library: &str, symbols: &[&str]) -> Self {
        self.imports.push((library.to_owned(), owned(symbols)));
        self
    }

    pub fn delays(mut self, library: &str, symbols: &[&str]) -> Self {
        self.delayed.push((library.to_owned(), owned(symbols)));
        self
    }

    pub fn exports(mut self, symbols: &[&str]) -> Self {
        self.exports.extend(symbols.iter().map(|symbol| ((*symbol).to_owned(), None)));
        self
    }

    /// An export that is another DLL's: `other.dll` as `other.name` or `other.#7`.
    pub fn forwards(mut self, symbol: &str, to: &str) -> Self {
        self.exports.push((symbol.to_owned(), Some(to.to_owned())));
        self
    }

    pub fn version(mut self, version: [u16; 4]) -> Self {
        self.version = Some(version);
        self
    }

    /// The bytes of the file.
    pub fn build(&self) -> Vec<u8> {
        let mut blob = Blob { bytes: Vec::new(), wide: self.machine != I386 };
        let mut directories = [(0, 0); 16];
        directories[0] = blob.exports(&self.exports);
        directories[1] = blob.imports(&self.imports);
        directories[2] = self.version.map_or((0, 0), |version| blob.version(version));
        directories[13] = blob.delayed(&self.delayed);
        let size = count(blob.bytes.len());
        let raw = size.next_multiple_of(0x200);

        let mut file = vec![0; HEADERS as usize];
        file[..2].copy_from_slice(b"MZ");
        file[0x3c] = 0x40;
        let mut at = 0x40;
        let mut put = |bytes: &[u8]| {
            file[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(b"PE\0\0");
        put(&self.machine.to_le_bytes());
        put(&1u16.to_le_bytes()); // one section
        put(&[0; 12]);
        put(&(if blob.wide { 240u16 } else { 224 }).to_le_bytes());
        put(&0x2022u16.to_le_bytes()); // executable, large address aware, a DLL
        put(&(if blob.wide { 0x20bu16 } else { 0x10b }).to_le_bytes());
        put(&[self.linker.0, self.linker.1]);
        put(&[0; 12]); // sizes
        put(&[0; 8]); // entry point, base of code
        if blob.wide {
            put(&0x1_8000_0000u64.to_le_bytes());
        } else {
            put(&[0; 4]); // base of data
            put(&0x1000_0000u32.to_le_bytes());
        }
        put(&BASE.to_le_bytes());
        put(&0x200u32.to_le_bytes());
        put(&[0; 8]);
        put(&6u16.to_le_bytes()); // subsystem version
        put(&[0; 6]);
        put(&(BASE + size.next_multiple_of(BASE)).to_le_bytes());
        put(&HEADERS.to_le_bytes());
        put(&[0; 4]);
        put(&2u16.to_le_bytes());
        put(&[0; 2]);
        put(&vec![0; if blob.wide { 32 } else { 16 }]);
        put(&[0; 4]);
        put(&16u32.to_le_bytes());
        for (address, size) in directories {
            put(&u32::to_le_bytes(address));
            put(&u32::to_le_bytes(size));
        }
        put(b".rdata\0\0");
        for value in [size, BASE, raw, HEADERS, 0, 0, 0, 0x4000_0040] {
            put(&value.to_le_bytes());
        }
        blob.bytes.resize(raw as usize, 0);
        file.extend(blob.bytes);
        file
    }
}

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap()
}

fn owned(symbols: &[&str]) -> Vec<String> {
    symbols.iter().map(|symbol| (*symbol).to_owned()).collect()
}

/// The one section.
struct Blob {
    bytes: Vec<u8>,
    /// 64-bit.
    wide: bool,
}

impl Blob {
    fn here(&mut self) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        BASE + count(self.bytes.len())
    }

    fn put(&mut self, bytes: &[u8]) -> u32 {
        let here = self.here();
        self.bytes.extend_from_slice(bytes);
        here
    }

    fn text(&mut self, text: &str) -> u32 {
        let here = self.put(text.as_bytes());
        self.bytes.push(0);
        here
    }

    fn numbers(&mut self, numbers: &[u32]) -> u32 {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.put(&bytes)
    }

    fn thunks(&mut self, symbols: &[String]) -> u32 {
        let thunks: Vec<u64> = symbols
            .iter()
            .map(|symbol| match symbol.strip_prefix('#') {
                Some(ordinal) => ordinal.parse::<u64>().unwrap() | 1 << if self.wide { 63 } else { 31 },
                None => u64::from(self.text(&format!("\0\0{symbol}"))),
            })
            .chain([0])
            .collect();
        let wide = self.wide;
        let bytes: Vec<u8> =
            thunks.iter().flat_map(|thunk| thunk.to_le_bytes()[..if wide { 8 } else { 4 }].to_vec()).collect();
        self.put(&bytes)
    }

    fn imports(&mut self, libraries: &[(String, Vec<String>)]) -> (u32, u32) {
        let mut table = Vec::new();
        for (name, symbols) in libraries {
            let (name, lookup, addresses) = (self.text(name), self.thunks(symbols), self.thunks(symbols));
            table.extend([lookup, 0, 0, name, addresses]);
        }
        if table.is_empty() {
            return (0, 0);
        }
        table.extend([0; 5]);
        (self.numbers(&table), count(table.len()) * 4)
    }

    fn delayed(&mut self, libraries: &[(String, Vec<String>)]) -> (u32, u32) {
        let mut table = Vec::new();
        for (name, symbols) in libraries {
            let (name, lookup) = (self.text(name), self.thunks(symbols));
            table.extend([1, name, 0, lookup, lookup, 0, 0, 0]);
        }
        if table.is_empty() {
            return (0, 0);
        }
        table.extend([0; 8]);
        (self.numbers(&table), count(table.len()) * 4)
    }

    fn exports(&mut self, exports: &[(String, Option<String>)]) -> (u32, u32) {
        if exports.is_empty() {
            return (0, 0);
        }
        let start = self.put(&[0; 40]);
        let mut functions = Vec::new();
        let mut names = Vec::new();
        for (symbol, forward) in exports {
            let ordinal: usize =
                symbol.strip_prefix('#').map_or(functions.len(), |it| it.parse::<usize>().unwrap() - 1);
            functions.resize(functions.len().max(ordinal + 1), 0);
            // Below the section, so that it points at no text.
            functions[ordinal] = forward.as_ref().map_or(0x10, |forward| self.text(forward));
            if !symbol.starts_with('#') {
                names.push((symbol.clone(), u16::try_from(ordinal).unwrap()));
            }
        }
        names.sort();
        let pointers: Vec<u32> = names.iter().map(|(name, _)| self.text(name)).collect();
        let ordinals: Vec<u8> = names.iter().flat_map(|(_, ordinal)| ordinal.to_le_bytes()).collect();
        let (function_count, name_count) = (count(functions.len()), count(names.len()));
        let (functions, pointers, ordinals) = (self.numbers(&functions), self.numbers(&pointers), self.put(&ordinals));
        let header = [0, 0, 0, 0, 1, function_count, name_count, functions, pointers, ordinals];
        let at = (start - BASE) as usize;
        for (place, value) in header.into_iter().enumerate() {
            self.bytes[at + place * 4..at + place * 4 + 4].copy_from_slice(&u32::to_le_bytes(value));
        }
        (start, self.here() - start)
    }

    fn version(&mut self, [major, minor, build, revision]: [u16; 4]) -> (u32, u32) {
        let mut info = vec![92, 0, 52, 0, 0, 0];
        info.extend("VS_VERSION_INFO".encode_utf16().flat_map(u16::to_le_bytes));
        info.resize(40, 0);
        info.extend(0xfeef_04bdu32.to_le_bytes());
        info.extend(0x1_0000u32.to_le_bytes());
        for half in [minor, major, revision, build] {
            info.extend(half.to_le_bytes());
        }
        info.resize(92, 0);
        let info = self.put(&info);
        let directory = |id: u32, to: u32| [0, 0, 0, 1 << 16, id, to];
        let mut tree = Vec::new();
        tree.extend(directory(16, SUBTABLE + 24));
        tree.extend(directory(1, SUBTABLE + 48));
        tree.extend(directory(0x409, 72));
        tree.extend([info, 92, 0, 0]);
        (self.numbers(&tree), count(tree.len()) * 4)
    }
}
