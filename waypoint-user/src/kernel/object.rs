//! The eBPF object that is part of this binary.
//!
//! **Invariant:** its fingerprint is a function of its bytes alone, so that a restart of the same
//! build recognises its programs in the kernel.

use aya::{Ebpf, EbpfLoader, include_bytes_aligned};
use waypoint_common::map;

use super::{Error, pins::Pins};

/// Loads the object; maps that are pinned are used, others are made and pinned.
pub(super) fn load(pins: &Pins) -> Result<Ebpf, Error> {
    let mut loader = EbpfLoader::new();
    for name in PINNED {
        loader.map_pin_path(name, pins.map(name));
    }
    Ok(loader.load(BYTES)?)
}

/// What tells this object from every other (FNV-1a, 64 bits).
pub(super) fn fingerprint() -> u64 {
    BYTES.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Maps that outlive the process.
const PINNED: [&str; 14] = [
    map::CFG,
    map::WP_DST,
    map::WP_NET,
    map::IF_POD,
    map::POD_IF,
    map::LSN,
    map::ADMIT,
    map::ADMIT_SRC,
    map::EXEMPT_CG,
    map::EXEMPT_SRC,
    map::BYPASSING,
    map::STATS,
    map::EVENTS,
    map::FLOWS,
];

static BYTES: &[u8] = include_bytes_aligned!(env!("WAYPOINT_EBPF_OBJECT"));
