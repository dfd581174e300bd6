//! Wheels made for a test.
//!
//! ```ignore
//! let wheel = WheelBuilder::new("demo", "1.0").file("demo/__init__.py", "answer = 42\n").requires("x>=1").build();
//! ```

use std::io::Write as _;

use torchfix::vocab::Sha256;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A wheel, with all its members valid unless told otherwise.
#[derive(Debug, Clone)]
pub struct WheelBuilder {
    name: String,
    version: String,
    tag: String,
    requires: Vec<String>,
    requires_python: Option<String>,
    extras: Vec<String>,
    entry_points: Vec<(String, String, String)>,
    members: Vec<Member>,
    metadata: Option<String>,
    record: Option<String>,
}

#[derive(Debug, Clone)]
struct Member {
    path: String,
    bytes: Vec<u8>,
    executable: bool,
    stored: bool,
}

/// A wheel, built.
#[derive(Debug, Clone)]
pub struct BuiltWheel {
    /// Its file name.
    pub file_name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What they hash to.
    pub sha256: Sha256,
    /// Its METADATA, as a server of PEP 658 has it.
    pub metadata: String,
}

impl WheelBuilder {
    /// An empty wheel of a pure Python project.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            tag: "py3-none-any".to_owned(),
            requires: Vec::new(),
            requires_python: None,
            extras: Vec::new(),
            entry_points: Vec::new(),
            members: Vec::new(),
            metadata: None,
            record: None,
        }
    }

    /// Another tag than `py3-none-any`.
    pub fn tag(mut self, tag: &str) -> Self {
        tag.clone_into(&mut self.tag);
        self
    }

    /// A file, deflated.
    pub fn file(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.member(path, bytes.as_ref().to_vec(), false, false)
    }

    /// A file, stored.
    pub fn stored(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.member(path, bytes.as_ref().to_vec(), false, true)
    }

    /// A file that the ZIP marks executable.
    pub fn executable(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.member(path, bytes.as_ref().to_vec(), true, false)
    }

    /// A file of `size` bytes that hardly deflates, the same at every call.
    pub fn noise(self, path: &str, size: usize) -> Self {
        self.member(path, noise(size), false, false)
    }

    /// A file of `size` bytes that deflates to nearly nothing.
    pub fn zeros(self, path: &str, size: usize) -> Self {
        self.member(path, vec![0; size], false, false)
    }

    /// A file of the wheel's `.data` folder: `scheme` is `scripts`, `data`, `headers`, `purelib` or `platlib`.
    pub fn data(self, scheme: &str, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        let path = format!("{}-{}.data/{scheme}/{path}", self.name.replace('-', "_"), self.version);
        self.file(&path, bytes)
    }

    /// An entry point; `group` is `console_scripts`, `gui_scripts` or any other.
    pub fn entry_point(mut self, group: &str, name: &str, target: &str) -> Self {
        self.entry_points.push((group.to_owned(), name.to_owned(), target.to_owned()));
        self
    }

    /// A `Requires-Dist`.
    pub fn requires(mut self, requirement: &str) -> Self {
        self.requires.push(requirement.to_owned());
        self
    }

    /// A `Provides-Extra`.
    pub fn extra(mut self, extra: &str) -> Self {
        self.extras.push(extra.to_owned());
        self
    }

    /// The `Requires-Python`.
    pub fn requires_python(mut self, specifiers: &str) -> Self {
        self.requires_python = Some(specifiers.to_owned());
        self
    }

    /// This text in METADATA's place, right or wrong.
    pub fn metadata(mut self, text: &str) -> Self {
        self.metadata = Some(text.to_owned());
        self
    }

    /// This text in RECORD's place, right or wrong.
    pub fn record(mut self, text: &str) -> Self {
        self.record = Some(text.to_owned());
        self
    }

    /// The wheel's file name.
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}.whl", self.name.replace('-', "_"), self.version, self.tag)
    }

    /// The wheel's bytes; the same builder makes the same bytes.
    pub fn build(self) -> BuiltWheel {
        let file_name = self.file_name();
        let metadata = self.metadata.clone().unwrap_or_else(|| self.metadata_text());
        let dist_info = format!("{}-{}.dist-info", self.name.replace('-', "_"), self.version);
        let wheel = format!(
            "Wheel-Version: 1.0\nGenerator: torchfix-tests\nRoot-Is-Purelib: {}\nTag: {}\n",
            self.tag.ends_with("-none-any"),
            self.tag
        );
        let mut members = self.members.clone();
        let mut add = |name: &str, text: String| {
            let path = format!("{dist_info}/{name}");
            members.push(Member { path, bytes: text.into_bytes(), executable: false, stored: false });
        };
        add("METADATA", metadata.clone());
        add("WHEEL", wheel);
        if !self.entry_points.is_empty() {
            add("entry_points.txt", self.entry_points_text());
        }
        let record_path = format!("{dist_info}/RECORD");
        let record = self.record.clone().unwrap_or_else(|| record_text(&members, &record_path));
        members.push(Member { path: record_path, bytes: record.into_bytes(), executable: false, stored: false });
        let bytes = zipped(&members);
        BuiltWheel { file_name, sha256: Sha256::of(&bytes), bytes, metadata }
    }

    fn member(mut self, path: &str, bytes: Vec<u8>, executable: bool, stored: bool) -> Self {
        self.members.push(Member { path: path.to_owned(), bytes, executable, stored });
        self
    }

    fn metadata_text(&self) -> String {
        let mut text = format!("Metadata-Version: 2.1\nName: {}\nVersion: {}\n", self.name, self.version);
        if let Some(specifiers) = &self.requires_python {
            text.push_str(&format!("Requires-Python: {specifiers}\n"));
        }
        for extra in &self.extras {
            text.push_str(&format!("Provides-Extra: {extra}\n"));
        }
        for requirement in &self.requires {
            text.push_str(&format!("Requires-Dist: {requirement}\n"));
        }
        text + "\nMade for a test.\n"
    }

    fn entry_points_text(&self) -> String {
        let mut groups: Vec<&str> = self.entry_points.iter().map(|(group, ..)| group.as_str()).collect();
        groups.sort_unstable();
        groups.dedup();
        let mut text = String::new();
        for group in groups {
            text.push_str(&format!("[{group}]\n"));
            for (_, name, target) in self.entry_points.iter().filter(|(of, ..)| of == group) {
                text.push_str(&format!("{name} = {target}\n"));
            }
        }
        text
    }
}

/// `size` bytes that hardly deflate, the same at every call.
pub fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .flatten()
    .take(size)
    .collect()
}

fn record_text(members: &[Member], record_path: &str) -> String {
    let mut text = String::new();
    for member in members {
        let quoted = if member.path.contains([',', '"']) {
            format!("\"{}\"", member.path.replace('"', "\"\""))
        } else {
            member.path.clone()
        };
        text.push_str(&format!("{quoted},sha256={},{}\n", Sha256::of(&member.bytes).to_record(), member.bytes.len()));
    }
    text + record_path + ",,\n"
}

fn zipped(members: &[Member]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for member in members {
        let method = if member.stored { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .last_modified_time(DateTime::default())
            .unix_permissions(if member.executable { 0o755 } else { 0o644 });
        writer.start_file(member.path.as_str(), options).expect("a member name that a ZIP can hold");
        writer.write_all(&member.bytes).expect("memory takes every byte");
    }
    writer.finish().expect("memory takes every byte").into_inner()
}
