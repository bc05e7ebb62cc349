//! Ranges of addresses.
//!
//! Which range an address is in the map says; this is only what it finds.

use crate::addr::Addr;

/// A range of addresses: what stands for all of them in the keys of its entries.
///
/// Ports are looked up only after the range: of nested ranges the narrowest has an address, with
/// whatever ports it has entries for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Range {
    /// Its first address.
    pub first: Addr,
    /// One more than the number of leading bits that its addresses share; zero for addresses that
    /// are left out of a wider range.
    pub mark: u8,
    /// Bits of [`destination_flag`](super::destination_flag): whether it has an entry that fails
    /// closed.
    pub flags: u8,
    /// Explicit padding.
    pub pad: [u8; 2],
}

impl Range {
    /// What is left out of a wider range. Nothing is captured by its key, as no connection is to
    /// the unspecified address.
    pub const NONE: Self = Self { first: Addr::UNSPECIFIED, mark: 0, flags: 0, pad: [0; 2] };

    /// A range; `bits` as the map has them, so that those of IPv4 are 96 more.
    pub const fn new(first: Addr, bits: u8) -> Self {
        Self { first, mark: bits + 1, flags: 0, pad: [0; 2] }
    }

    /// Whether it has entries.
    #[inline(always)]
    pub const fn is_some(&self) -> bool {
        self.mark != 0
    }
}

const _: () = assert!(size_of::<Range>() == 20);
crate::pod!(Range);
