//! Raw deflate that can stop at a block and go on from there in another process.
#![allow(unsafe_code, reason = "zlib's interface is the one that tells block boundaries; all of its calls are here")]

use std::ffi::c_int;

use libz_rs_sys as zlib;

/// A raw deflate stream, being inflated.
pub(super) struct Inflater {
    /// Boxed: zlib's interface does not promise that a stream may move.
    stream: Box<zlib::z_stream>,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Bytes of input used.
    pub(super) consumed: usize,
    /// Bytes of output written.
    pub(super) produced: usize,
    /// Where the stream stands.
    pub(super) state: StepState,
}

/// Where a stream stands after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepState {
    /// In the middle: more input or more room is needed.
    Inside,
    /// Between two blocks; this many bits of the last byte consumed belong to the next one.
    BetweenBlocks(u8),
    /// At its end.
    End,
}

/// A deflate stream that is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Corrupt;

impl Inflater {
    /// A stream at its begin; `None` when memory is out.
    pub(super) fn new() -> Option<Self> {
        let mut stream = Box::new(zlib::z_stream::default());
        let size = c_int::try_from(size_of::<zlib::z_stream>()).ok()?;
        // SAFETY: the stream is valid for writing, the version string is the library's own, the size is the type's.
        let code = unsafe { zlib::inflateInit2_(&raw mut *stream, -15, zlib::zlibVersion(), size) };
        (code == zlib::Z_OK).then_some(Self { stream })
    }

    /// Goes to the begin of another stream.
    pub(super) fn restart(&mut self) -> Result<(), Corrupt> {
        // SAFETY: the stream was initialised in `new`, and is ended only by `drop`.
        check(unsafe { zlib::inflateReset(&raw mut *self.stream) })
    }

    /// Goes to a place between two blocks of a stream: `window` is the output before it (its last 32 KiB suffice),
    /// `value` the `bits` bits of the byte before it that belong to the next block.
    pub(super) fn restart_between_blocks(&mut self, window: &[u8], bits: u8, value: u8) -> Result<(), Corrupt> {
        self.restart()?;
        let window = &window[window.len().saturating_sub(32 << 10)..];
        let length = u32::try_from(window.len()).map_err(|_| Corrupt)?;
        if length > 0 {
            // SAFETY: the stream is initialised, and `window` is readable for `length` bytes during the call.
            check(unsafe { zlib::inflateSetDictionary(&raw mut *self.stream, window.as_ptr(), length) })?;
        }
        // SAFETY: the stream is initialised; bits and value are checked by the callee.
        check(unsafe { zlib::inflatePrime(&raw mut *self.stream, c_int::from(bits), c_int::from(value)) })
    }

    /// Inflates until the input is used up, the output is full, the stream ends, or, with `stop_between_blocks`, a
    /// block ends.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8], stop_between_blocks: bool) -> Result<Step, Corrupt> {
        let available = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let stream = &mut *self.stream;
        (stream.next_in, stream.avail_in) = (input.as_ptr(), available(input.len()));
        (stream.next_out, stream.avail_out) = (output.as_mut_ptr(), available(output.len()));
        let (given, room) = (stream.avail_in, stream.avail_out);
        let flush = if stop_between_blocks { zlib::Z_BLOCK } else { zlib::Z_NO_FLUSH };
        // SAFETY: the stream is initialised; `next_in` and `next_out` point to slices that outlive the call, of at
        // least `avail_in` and `avail_out` bytes.
        let code = unsafe { zlib::inflate(&raw mut *stream, flush) };
        let (consumed, produced) = ((given - stream.avail_in) as usize, (room - stream.avail_out) as usize);
        // No pointer into the caller's slices stays behind.
        (stream.next_in, stream.avail_in) = (std::ptr::null(), 0);
        (stream.next_out, stream.avail_out) = (std::ptr::null_mut(), 0);
        let state = match code {
            zlib::Z_STREAM_END => StepState::End,
            // No progress was possible: the caller sees that nothing was consumed or produced.
            zlib::Z_OK | zlib::Z_BUF_ERROR => between_blocks(stream.data_type),
            _ => return Err(Corrupt),
        };
        Ok(Step { consumed, produced, state })
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        // SAFETY: the stream was initialised in `new` and is ended only here.
        unsafe { zlib::inflateEnd(&raw mut *self.stream) };
    }
}

/// Reads `data_type`: the low bits count the bits not yet used, 64 marks the last block, 128 the end of a block.
fn between_blocks(data_type: c_int) -> StepState {
    let unused = data_type & 63;
    match u8::try_from(unused) {
        Ok(bits) if bits < 8 && data_type & (64 | 128) == 128 => StepState::BetweenBlocks(bits),
        _ => StepState::Inside,
    }
}

fn check(code: c_int) -> Result<(), Corrupt> {
    if code == zlib::Z_OK { Ok(()) } else { Err(Corrupt) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Deflates with the `zip` crate, and cuts the stream out.
    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        writer.start_file("x", options).unwrap();
        writer.write_all(bytes).unwrap();
        let archive = writer.finish().unwrap().into_inner();
        let mut reader = zip::ZipArchive::new(std::io::Cursor::new(&archive)).unwrap();
        let entry = reader.by_index_raw(0).unwrap();
        let start = usize::try_from(entry.data_start().unwrap()).unwrap();
        archive[start..start + usize::try_from(entry.compressed_size()).unwrap()].to_vec()
    }

    fn sample() -> Vec<u8> {
        let mut state = 1u32;
        (0..600_000u32)
            .map(|position| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if position % 3 == 0 { state.to_be_bytes()[0] } else { position.to_le_bytes()[1] }
            })
            .collect()
    }

    #[test]
    fn every_block_boundary_is_a_place_to_go_on_from() {
        let plain = sample();
        let packed = deflated(&plain);
        let mut inflater = Inflater::new().unwrap();
        let (mut at, mut out, mut places) = (0, Vec::new(), Vec::new());
        let mut buffer = vec![0; 10_000];
        loop {
            let end = packed.len().min(at + 777);
            let step = inflater.step(&packed[at..end], &mut buffer, true).unwrap();
            at += step.consumed;
            out.extend_from_slice(&buffer[..step.produced]);
            match step.state {
                StepState::End => break,
                StepState::BetweenBlocks(bits) => places.push((at, out.len(), bits)),
                StepState::Inside => {}
            }
        }
        assert_eq!(out, plain);
        assert!(places.len() > 5, "the sample has {} blocks", places.len());
        for (at, produced, bits) in places {
            let value = if bits == 0 { 0 } else { packed[at - 1] >> (8 - bits) };
            inflater.restart_between_blocks(&plain[..produced], bits, value).unwrap();
            let mut rest = vec![0; plain.len() - produced + 1];
            let step = inflater.step(&packed[at..], &mut rest, false).unwrap();
            assert_eq!((step.state, step.produced), (StepState::End, plain.len() - produced));
            assert_eq!(rest[..step.produced], plain[produced..]);
        }
    }

    #[test]
    fn rubbish_is_an_error() {
        let mut inflater = Inflater::new().unwrap();
        let mut out = [0; 100];
        assert_eq!(inflater.step(&[0xff; 50], &mut out, false), Err(Corrupt));
    }
}
