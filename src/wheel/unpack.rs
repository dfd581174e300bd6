//! A wheel's bytes in order: hashed, judged, inflated into its staging folder.

use super::WheelError;
use super::checkpoint::{Checkpoint, Inside};
use super::hasher::Hasher;
use super::inflate::{Inflater, StepState};
use super::known::Identity;
use super::staging::{StagedFile, Staging};
use crate::fetch::WheelStream;
use crate::vocab::{Sha256, WheelName};
use crate::zip::{CentralDirectory, Entry, Method, judge_descriptor, judge_local_header};

/// What is inflated before it is written.
const OUTPUT: usize = 256 << 10;
/// Input is inflated, then hashed, in pieces that stay in the processor's cache.
const INPUT: usize = 128 << 10;

/// Unpacks one wheel.
pub(super) struct Unpacker<'u, 'c, 'a> {
    artifact: &'u WheelName,
    stream: &'u mut WheelStream<'c, 'a>,
    directory: &'u CentralDirectory,
    staging: &'u mut Staging,
    hasher: Hasher,
    inflater: Inflater,
    output: Box<[u8]>,
    checkpoints: Checkpoints,
}

/// When to write the next checkpoint, and what all of them say.
struct Checkpoints {
    identity: Identity,
    every: u64,
    last: u64,
}

/// Where unpacking begins.
pub(super) enum Begin {
    /// At the first byte.
    Whole,
    /// Between two entries.
    At(Checkpoint, Hasher),
    /// Inside an entry, with its file and the last of what is in it.
    Inside(Checkpoint, Hasher, Inside, StagedFile, Vec<u8>),
}

impl Begin {
    /// The offset of the first byte that is fetched.
    pub(super) fn offset(&self) -> u64 {
        match self {
            Self::Whole => 0,
            Self::At(checkpoint, _) | Self::Inside(checkpoint, ..) => checkpoint.offset,
        }
    }
}

impl<'u, 'c, 'a> Unpacker<'u, 'c, 'a> {
    /// Sets up; a checkpoint is written after each `every` bytes of the wheel.
    pub(super) fn new(
        artifact: &'u WheelName,
        stream: &'u mut WheelStream<'c, 'a>,
        directory: &'u CentralDirectory,
        staging: &'u mut Staging,
        identity: Identity,
        every: u64,
    ) -> Result<Self, WheelError> {
        Ok(Self {
            artifact,
            stream,
            directory,
            staging,
            hasher: Hasher::default(),
            inflater: Inflater::new().ok_or(WheelError::Inflate)?,
            output: vec![0; OUTPUT].into_boxed_slice(),
            checkpoints: Checkpoints { identity, every, last: 0 },
        })
    }

    /// Unpacks from `begin` to the end of the wheel. `times` has the modification times of what is staged, in the order
    /// of the directory, and gets the others.
    pub(super) fn run(&mut self, begin: Begin, times: &mut Vec<i64>) -> Result<(), WheelError> {
        self.checkpoints.last = begin.offset();
        self.stream.start(begin.offset());
        match begin {
            Begin::Whole => {}
            Begin::At(_, hasher) => self.hasher = hasher,
            Begin::Inside(_, hasher, inside, file, window) => {
                self.hasher = hasher;
                let entry = &self.directory.entries[times.len()];
                if entry.method == Method::Deflate {
                    self.inflater
                        .restart_between_blocks(&window, inside.bits, inside.value)
                        .map_err(|_| self.damaged(entry, "the data does not inflate"))?;
                }
                let time = self.data(times.len(), entry, inside.data_end, file)?;
                times.push(time);
            }
        }
        while let Some(entry) = self.directory.entries.get(times.len()) {
            if self.is_due() {
                self.checkpoint(times.len(), None)?;
            }
            let time = self.entry(times.len(), entry)?;
            times.push(time);
        }
        self.drain()
    }

    /// Hashes the rest of the wheel, and only that.
    pub(super) fn drain(&mut self) -> Result<(), WheelError> {
        loop {
            let count = peek(self.stream, self.artifact, self.staging)?.len();
            if count == 0 {
                return Ok(());
            }
            self.consume(count)?;
        }
    }

    /// The hash of the whole wheel.
    pub(super) fn sha256(&self) -> Sha256 {
        self.hasher.clone().finish()
    }

    fn entry(&mut self, index: usize, entry: &Entry) -> Result<i64, WheelError> {
        let mut header = Vec::new();
        let length = loop {
            match judge_local_header(entry, &header).map_err(|source| self.zip(source))? {
                Ok(local) => break local.length,
                Err(wanted) => self.gather(&mut header, wanted)?,
            }
        };
        let data_end = entry.local_header_offset + length + entry.compressed_size;
        if entry.is_dir {
            self.staging.make_folder(&entry.path).map_err(|error| self.file_error(error))?;
            self.skip_to(data_end)?;
            self.descriptor(entry)?;
            return Ok(0);
        }
        let file = self.staging.create(entry).map_err(|error| self.file_error(error))?;
        if entry.method == Method::Deflate {
            self.inflater.restart().map_err(|_| self.damaged(entry, "the data does not inflate"))?;
        }
        self.data(index, entry, data_end, file)
    }

    /// The data of an entry from where the stream stands, and what follows it.
    fn data(&mut self, index: usize, entry: &Entry, data_end: u64, mut file: StagedFile) -> Result<i64, WheelError> {
        match entry.method {
            Method::Stored => self.stored(index, entry, data_end, &mut file)?,
            Method::Deflate => self.deflated(index, entry, data_end, &mut file)?,
        }
        if file.written() != entry.size {
            return Err(self.damaged(entry, "fewer bytes than declared"));
        }
        if file.crc32() != entry.crc32 {
            return Err(self.damaged(entry, "a checksum that does not match"));
        }
        let time = file.modified().map_err(|error| self.file_error(error))?;
        drop(file);
        self.descriptor(entry)?;
        Ok(time)
    }

    fn stored(&mut self, index: usize, entry: &Entry, end: u64, file: &mut StagedFile) -> Result<(), WheelError> {
        while self.stream.position() < end {
            if self.is_due() {
                let (produced, crc32) = (file.written(), file.crc32());
                self.checkpoint(index, Some(Inside { data_end: end, bits: 0, value: 0, produced, crc32 }))?;
            }
            let left = end - self.stream.position();
            let bytes = peek(self.stream, self.artifact, self.staging)?;
            let count = cut(bytes, left, self.artifact, entry)?;
            let bytes = &bytes[..count];
            self.hasher.update(bytes);
            let written = file.write(bytes);
            self.stream.consume(count);
            written.map_err(|error| self.file_error(error))?;
        }
        Ok(())
    }

    fn deflated(&mut self, index: usize, entry: &Entry, end: u64, file: &mut StagedFile) -> Result<(), WheelError> {
        let mut filled = 0;
        let mut last_byte = 0;
        loop {
            let due = self.is_due();
            let left = end - self.stream.position();
            let bytes = if left > 0 { peek(self.stream, self.artifact, self.staging)? } else { &[] };
            let count = if left > 0 { cut(bytes, left, self.artifact, entry)?.min(INPUT) } else { 0 };
            let step = self.inflater.step(&bytes[..count], &mut self.output[filled..], due);
            let Ok(step) = step else { return Err(self.damaged(entry, "data that does not inflate")) };
            self.hasher.update(&bytes[..step.consumed]);
            last_byte = step.consumed.checked_sub(1).map_or(last_byte, |last| bytes[last]);
            self.stream.consume(step.consumed);
            filled += step.produced;
            if file.written() + filled as u64 > entry.size {
                return Err(self.damaged(entry, "more bytes than declared"));
            }
            if step.state == StepState::End {
                self.flush(file, &mut filled)?;
                let whole = self.stream.position() == end;
                return if whole { Ok(()) } else { Err(self.damaged(entry, "bytes after the end of the data")) };
            }
            if step.consumed == 0 && step.produced == 0 && filled < self.output.len() {
                return Err(self.damaged(entry, "data that ends early"));
            }
            if let (true, StepState::BetweenBlocks(bits)) = (due, step.state) {
                self.flush(file, &mut filled)?;
                let value = if bits == 0 { 0 } else { last_byte >> (8 - bits) };
                let (produced, crc32) = (file.written(), file.crc32());
                self.checkpoint(index, Some(Inside { data_end: end, bits, value, produced, crc32 }))?;
            }
            if filled == self.output.len() {
                self.flush(file, &mut filled)?;
            }
        }
    }

    fn flush(&self, file: &mut StagedFile, filled: &mut usize) -> Result<(), WheelError> {
        file.write(&self.output[..std::mem::take(filled)]).map_err(|error| self.file_error(error))
    }

    /// What lies between an entry's data and its end.
    fn descriptor(&mut self, entry: &Entry) -> Result<(), WheelError> {
        let length = usize::try_from(entry.end - self.stream.position()).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        // `judge_local_header` let no more than 24 through.
        self.gather(&mut bytes, length.min(24))?;
        judge_descriptor(entry, &bytes).map_err(|source| self.zip(source))
    }

    /// Appends to `into` until it has `wanted` bytes.
    fn gather(&mut self, into: &mut Vec<u8>, wanted: usize) -> Result<(), WheelError> {
        while into.len() < wanted {
            let bytes = peek(self.stream, self.artifact, self.staging)?;
            let count = bytes.len().min(wanted - into.len());
            into.extend_from_slice(&bytes[..count]);
            if count == 0 {
                let source = crate::zip::ZipError::NoEndRecord;
                return Err(WheelError::Zip { artifact: Box::new(self.artifact.clone()), source });
            }
            self.consume(count)?;
        }
        Ok(())
    }

    fn skip_to(&mut self, end: u64) -> Result<(), WheelError> {
        while self.stream.position() < end {
            let left = end - self.stream.position();
            let count = peek(self.stream, self.artifact, self.staging)?.len();
            self.consume(count.min(usize::try_from(left).unwrap_or(usize::MAX)))?;
        }
        Ok(())
    }

    /// Hashes the next `count` bytes and moves past them.
    fn consume(&mut self, count: usize) -> Result<(), WheelError> {
        let bytes = peek(self.stream, self.artifact, self.staging)?;
        self.hasher.update(&bytes[..count]);
        self.stream.consume(count);
        Ok(())
    }

    fn is_due(&self) -> bool {
        self.stream.position() - self.checkpoints.last >= self.checkpoints.every
    }

    fn checkpoint(&mut self, entries: usize, inside: Option<Inside>) -> Result<(), WheelError> {
        let offset = self.stream.position();
        self.checkpoints.last = offset;
        Checkpoint::new(self.checkpoints.identity.clone(), offset, &self.hasher, entries, inside)
            .write(self.staging.folder())
            .map_err(|error| self.file_error(error))
    }

    fn zip(&self, source: crate::zip::ZipError) -> WheelError {
        WheelError::Zip { artifact: Box::new(self.artifact.clone()), source }
    }

    fn damaged(&self, entry: &Entry, reason: &'static str) -> WheelError {
        WheelError::Damaged { artifact: Box::new(self.artifact.clone()), entry: entry.path.clone(), reason }
    }

    fn file_error(&self, error: std::io::Error) -> WheelError {
        WheelError::file(self.artifact, self.staging.folder(), Some(self.directory.total_size), error)
    }
}

/// The next bytes; a free function, so that the other parts can be used beside them.
fn peek<'s>(
    stream: &'s mut WheelStream<'_, '_>,
    artifact: &WheelName,
    staging: &Staging,
) -> Result<&'s [u8], WheelError> {
    stream.peek().map_err(|source| WheelError::fetch(artifact, staging.folder(), source))
}

/// How many of the bytes belong to an entry that has `left` to come.
fn cut(bytes: &[u8], left: u64, artifact: &WheelName, entry: &Entry) -> Result<usize, WheelError> {
    match bytes.len() {
        0 => {
            let reason = "data that ends early";
            Err(WheelError::Damaged { artifact: Box::new(artifact.clone()), entry: entry.path.clone(), reason })
        }
        length => Ok(length.min(usize::try_from(left).unwrap_or(usize::MAX))),
    }
}
