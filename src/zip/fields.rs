//! Little-endian fields out of a slice, and the extra fields of entries.

/// The `u16` at `at`; `None` past the end.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

/// The `u32` at `at`; `None` past the end.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The `u64` at `at`; `None` past the end.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// The zip64 extended information among extra fields.
const ZIP64: u16 = 0x0001;
/// Info-ZIP's second opinion on the name.
const UNICODE_PATH: u16 = 0x7075;

/// The extra fields of an entry that say something about where its bytes are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extra<'a> {
    /// The payload of the zip64 field.
    pub(super) zip64: Option<&'a [u8]>,
    /// The name of a Unicode path field.
    pub(super) unicode_path: Option<&'a [u8]>,
}

impl<'a> Extra<'a> {
    /// Takes the fields apart; the error says what is wrong with them.
    pub(super) fn parse(mut bytes: &'a [u8]) -> Result<Self, &'static str> {
        let mut extra = Self::default();
        while let (Some(id), Some(length)) = (u16_at(bytes, 0), u16_at(bytes, 2)) {
            let end = 4 + usize::from(length);
            let field = bytes.get(4..end).ok_or("an extra field is longer than its place")?;
            bytes = &bytes[end..];
            let slot = match id {
                ZIP64 => &mut extra.zip64,
                // One byte of version and four of checksum come before the name.
                UNICODE_PATH => {
                    extra.unicode_path = Some(field.get(5..).ok_or("its Unicode path field is too short")?);
                    continue;
                }
                _ => continue,
            };
            if slot.replace(field).is_some() {
                return Err("it has two zip64 fields");
            }
        }
        // Fewer than four bytes are padding, as aligning tools write it.
        if bytes.iter().any(|byte| *byte != 0) {
            return Err("its extra fields end in the middle of one");
        }
        Ok(extra)
    }
}
