//! A SHA-256 in the making that can be kept in a file.

use sha2::Digest as _;
use sha2::digest::common::hazmat::SerializableState as _;

use crate::vocab::Sha256;

/// The hash of the bytes until now.
#[derive(Clone, Default)]
pub(super) struct Hasher(sha2::Sha256);

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn finish(self) -> Sha256 {
        Sha256::from_bytes(self.0.finalize().into())
    }

    /// The state as hexadecimal digits.
    pub(super) fn save(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
        self.0.serialize().iter().flat_map(digits).map(char::from).collect()
    }

    /// A state that [`Hasher::save`] wrote; `None` for anything else.
    pub(super) fn restore(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let bytes: Option<Vec<u8>> = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok().filter(|_| pair.len() == 2))
            .collect();
        let state = bytes?.as_slice().try_into().ok()?;
        sha2::Sha256::deserialize(&state).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_goes_on_after_a_pause() {
        let text = b"some text that is longer than one block of the hash, which has sixty-four bytes";
        for pause in 0..text.len() {
            let mut hasher = Hasher::default();
            hasher.update(&text[..pause]);
            let mut hasher = Hasher::restore(&hasher.save()).unwrap();
            hasher.update(&text[pause..]);
            assert_eq!(hasher.finish(), Sha256::of(text));
        }
        assert!(Hasher::restore("00").is_none() && Hasher::restore("é").is_none());
    }
}
