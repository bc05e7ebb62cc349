//! The hash by which requests and endpoints are put on rings and into tables.
//!
//! It is the same in every process and version, so that all waypoints agree on where a key goes. It
//! is not for anything secret.

/// The hash of some bytes (FNV-1a, and MurmurHash3's last step to spread short texts).
pub fn hash(bytes: &[u8]) -> u64 {
    let mut hash = OFFSET;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    }
    spread(hash)
}

/// The hash of some bytes, one of many.
pub fn seeded(bytes: &[u8], seed: u32) -> u64 {
    spread(hash(bytes) ^ spread(u64::from(seed) + 1))
}

fn spread(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;
