//! A file read by the addresses that its parts have in memory, in blocks, within a limit.

use std::cell::RefCell;
use std::collections::BTreeMap;

use object::ReadRef;

use super::headers::{Directory, Section};

/// Names lie together: a block holds many, and each is read once.
const BLOCK: u64 = 64 << 10;

/// 128 MiB; what torch's largest DLL needs is a tenth of it.
const MOST_BLOCKS: usize = 2048;

/// A DLL's memory, as far as it comes out of the file.
pub struct Ranges<'data, 'headers, R> {
    data: R,
    length: u64,
    sections: &'headers [Section],
    blocks: RefCell<BTreeMap<u64, &'data [u8]>>,
}

impl<'data, 'headers, R: ReadRef<'data>> Ranges<'data, 'headers, R> {
    pub fn new(data: R, sections: &'headers [Section]) -> Option<Self> {
        Some(Self { data, length: data.len().ok()?, sections, blocks: RefCell::default() })
    }

    /// The bytes at an address; `None` where they are not all in the file.
    pub fn bytes<const N: usize>(&self, address: u32) -> Option<[u8; N]> {
        let (mut offset, available) = self.locate(address)?;
        if (N as u64) > available {
            return None;
        }
        let mut bytes = [0; N];
        let mut filled = 0;
        while filled < N {
            let rest = self.rest_of_block(offset)?;
            let taken = rest.len().min(N - filled);
            bytes[filled..filled + taken].copy_from_slice(&rest[..taken]);
            filled += taken;
            offset += taken as u64;
        }
        Some(bytes)
    }

    pub fn u32(&self, address: u32) -> Option<u32> {
        self.bytes(address).map(u32::from_le_bytes)
    }

    /// The text at an address up to its zero byte, if that comes within `longest`.
    pub fn text(&self, address: u32, longest: usize) -> Option<String> {
        let (mut offset, available) = self.locate(address)?;
        let end = offset.saturating_add(available);
        let mut text = Vec::new();
        while offset < end && text.len() <= longest {
            let rest = self.rest_of_block(offset)?;
            let rest = &rest[..rest.len().min(usize::try_from(end - offset).unwrap_or(usize::MAX))];
            if let Some(zero) = rest.iter().position(|byte| *byte == 0) {
                text.extend_from_slice(&rest[..zero]);
                // A name that is not UTF-8 is none of a wheel's; what replaces it is found nowhere.
                return (text.len() <= longest).then(|| String::from_utf8_lossy(&text).into_owned());
            }
            text.extend_from_slice(rest);
            offset += rest.len() as u64;
        }
        None
    }

    /// A directory in one piece; `None` where it is not all in the file, or larger than `largest`.
    pub fn whole(&self, directory: Directory, largest: u32) -> Option<&'data [u8]> {
        let (offset, available) = self.locate(directory.address)?;
        if directory.size > largest {
            return None;
        }
        self.data.read_bytes_at(offset, available.min(directory.size.into())).ok()
    }

    /// Where in the file an address lies, and how many bytes follow there.
    fn locate(&self, address: u32) -> Option<(u64, u64)> {
        self.sections.iter().find_map(|section| {
            let within = address.checked_sub(section.address)?;
            let available = section.size.checked_sub(within).filter(|available| *available > 0)?;
            Some((u64::from(section.offset) + u64::from(within), available.into()))
        })
    }

    /// From an offset to the end of its block, or of the file.
    fn rest_of_block(&self, offset: u64) -> Option<&'data [u8]> {
        let start = offset - offset % BLOCK;
        let known = self.blocks.borrow().get(&start).copied();
        let block = if let Some(block) = known {
            block
        } else {
            let size = BLOCK.min(self.length.checked_sub(start)?);
            let mut blocks = self.blocks.borrow_mut();
            if blocks.len() >= MOST_BLOCKS {
                return None;
            }
            let block = self.data.read_bytes_at(start, size).ok()?;
            blocks.insert(start, block);
            block
        };
        block.get(usize::try_from(offset - start).ok()?..).filter(|rest| !rest.is_empty())
    }
}
