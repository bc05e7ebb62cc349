//! Numbers whose first bits share a byte with something else (RFC 7541 section 5.1).

use bytes::{BufMut, BytesMut};

use super::CompressionError;

/// Takes a number off the front of `input`, of which `prefix` bits of the first byte are part.
pub(super) fn take(input: &mut &[u8], prefix: u32) -> Result<usize, CompressionError> {
    let (first, mut rest) = input.split_first().ok_or(CompressionError::Truncated)?;
    let most = most(prefix);
    let mut value = usize::from(*first) & most;
    if value == most {
        let mut shift = 0;
        loop {
            let (next, behind) = rest.split_first().ok_or(CompressionError::Truncated)?;
            rest = behind;
            value += usize::from(next & 0x7f) << shift;
            if next & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift > SHIFT_MAX {
                return Err(CompressionError::Integer);
            }
        }
    }
    *input = rest;
    Ok(value)
}

/// Appends a number behind the `flags` of its first byte, which leave `prefix` bits to it.
pub(super) fn put(value: usize, prefix: u32, flags: u8, output: &mut BytesMut) {
    let most = most(prefix);
    if value < most {
        output.put_u8(flags | low_bits(value));
        return;
    }
    output.put_u8(flags | low_bits(most));
    let mut rest = value - most;
    while rest >= 0x80 {
        output.put_u8(0x80 | low_bits(rest & 0x7f));
        rest >>= 7;
    }
    output.put_u8(low_bits(rest));
}

/// The largest number of so many bits.
fn most(bits: u32) -> usize {
    (1 << bits) - 1
}

/// The last eight bits.
fn low_bits(value: usize) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low
}

/// Where the last seven bits of a number may stand: with the first ones they make 28 bits.
const SHIFT_MAX: u32 = 21;
