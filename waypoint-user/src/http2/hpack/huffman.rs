//! The Huffman code of texts (RFC 7541 section 5.2 and appendix B).
//!
//! The code is canonical: codes of the same length are consecutive numbers in the order of their
//! symbols, so that all follows from their lengths. Nothing is encoded with it here: between
//! neighbours, bytes cost less than the time that coding takes on both sides.

use std::sync::LazyLock;

use bytes::BytesMut;

use super::CompressionError;

/// Appends what a text decodes to.
pub(super) fn decode(text: &[u8], output: &mut BytesMut) -> Result<(), CompressionError> {
    let codes = &*CODES;
    let start = output.len();
    output.resize(start + decoded_max(text.len()), 0);
    let mut room = output.iter_mut().skip(start);
    let (mut bits, mut count, mut len) = (0_u64, 0_u32, 0);
    let mut text = text.iter();
    loop {
        while count <= u64::BITS - u8::BITS {
            let Some(byte) = text.next() else { break };
            bits |= u64::from(*byte) << (u64::BITS - u8::BITS - count);
            count += u8::BITS;
        }
        let (length, symbol) = codes.first_of(bits);
        if length > count {
            break;
        }
        let symbol = u8::try_from(symbol).map_err(|_| CompressionError::Huffman)?;
        let place = room.next().ok_or(CompressionError::Huffman)?;
        (*place, len) = (symbol, len + 1);
        bits <<= length;
        count -= length;
    }
    // What is left is padding: less than a byte, and nothing but ones.
    if count >= u8::BITS || bits.leading_ones() != count {
        return Err(CompressionError::Huffman);
    }
    output.truncate(start + len);
    Ok(())
}

/// How long a text can become: no code is shorter than five bits.
pub(super) fn decoded_max(bytes: usize) -> usize {
    bytes * 8 / 5
}

/// All codes, as they are found.
#[derive(Debug)]
pub(super) struct Codes {
    /// The length and the symbol of the code that a byte begins with; no length where it is longer.
    short: [(u8, u8); 256],
    /// Codes by their lengths.
    groups: Vec<Group>,
    /// All symbols in the order of their codes.
    symbols: Vec<u16>,
}

/// The codes of one length.
#[derive(Debug)]
struct Group {
    length: u32,
    first: u64,
    count: u64,
    /// How many codes are before the first.
    start: u64,
}

impl Codes {
    fn new() -> Self {
        let all = (0..=END).zip(LENGTHS);
        let mut all: Vec<(u8, u16)> = all.map(|(symbol, length)| (length, symbol)).collect();
        all.sort_unstable();
        let (mut groups, mut first, mut start) = (Vec::new(), 0, 0);
        for length in 1..=LENGTH_MAX {
            first <<= 1;
            let count = all.iter().filter(|(theirs, _)| *theirs == length).count() as u64;
            groups.push(Group { length: length.into(), first, count, start });
            first += count;
            start += count;
        }
        groups.retain(|group| group.count > 0);
        let symbols = all.into_iter().map(|(_, symbol)| symbol).collect();
        let mut codes = Self { short: [(0, 0); 256], groups, symbols };
        codes.short = std::array::from_fn(|byte| codes.short(byte as u64));
        codes
    }

    fn short(&self, byte: u64) -> (u8, u8) {
        let (length, symbol) = self.search(byte << (u64::BITS - u8::BITS));
        match (u8::try_from(length), u8::try_from(symbol)) {
            (Ok(length), Ok(symbol)) if u32::from(length) <= u8::BITS => (length, symbol),
            _ => (0, 0),
        }
    }

    /// The length of the code that some bits begin with, and its symbol.
    fn first_of(&self, bits: u64) -> (u32, u16) {
        let [first, ..] = bits.to_be_bytes();
        match self.short.get(usize::from(first)) {
            Some((length, symbol)) if *length > 0 => (u32::from(*length), u16::from(*symbol)),
            _ => self.search(bits),
        }
    }

    fn search(&self, bits: u64) -> (u32, u16) {
        for group in &self.groups {
            let place = (bits >> (u64::BITS - group.length)).wrapping_sub(group.first);
            if place < group.count
                && let Ok(place) = usize::try_from(group.start + place)
                && let Some(symbol) = self.symbols.get(place)
            {
                return (group.length, *symbol);
            }
        }
        (LENGTH_MAX.into(), END)
    }
}

static CODES: LazyLock<Codes> = LazyLock::new(Codes::new);

/// What says that a text ends, which none does.
const END: u16 = 256;

const SYMBOLS: usize = 257;

const LENGTH_MAX: u8 = 30;

/// The lengths of the codes of all bytes, and of the end.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
    6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23,
    23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
    22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22,
    22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26,
    27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
    25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

#[cfg(test)]
mod tests;
