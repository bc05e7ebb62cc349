//! Captured ranges of addresses, and what is left out of them.
//!
//! It knows no map; what is in none of these is not looked at here.
//!
//! **Invariant:** no address that is somebody's own, or that never leaves the machine or its link,
//! is captured by a range.

use std::{collections::HashMap, net::IpAddr};

use waypoint_common::{
    addr::Addr,
    redirect::{Destination, DestinationKey, Range, action, destination_flag::FAIL_CLOSED},
};

use crate::{
    mesh::{
        address::{IpBlock, SPECIAL},
        snapshot::Snapshot,
    },
    select,
};

use super::entry;

/// The key of a range: its first address, and how many leading bits count. IPv4 is mapped into
/// IPv6, as everywhere in the kernel's maps.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub(in crate::kernel) struct Network {
    /// How many bits.
    pub(in crate::kernel) bits: u8,
    /// The first address.
    pub(in crate::kernel) first: Addr,
}

/// Entries of `wp_net`.
#[derive(Debug, Default)]
pub(in crate::kernel) struct Networks {
    /// What is left out of ranges. It must be there before any of them is.
    pub(in crate::kernel) exceptions: HashMap<Network, Range>,
    /// All entries.
    pub(in crate::kernel) all: HashMap<Network, Range>,
}

impl Network {
    fn of(block: IpBlock) -> Self {
        let family = if block.network().is_ipv4() { MAPPED_BITS } else { 0 };
        Self { bits: family + block.prefix_len(), first: block.network().into() }
    }
}

impl Networks {
    /// The ranges that are captured, and their entries of `wp_dst`.
    pub(super) fn of(snapshot: &Snapshot) -> (Self, HashMap<DestinationKey, Destination>) {
        let (mut ranges, mut destinations) = (HashMap::new(), HashMap::new());
        let mut captured = Vec::new();
        for (block, service) in snapshot.ranges() {
            let network = Network::of(block);
            let value = entry(&select::captures_service(snapshot, service), service.fail_closed);
            let usable = value.filter(|_| !is_special(block));
            let Some(value) = usable else {
                // A wider range must not have it instead.
                ranges.insert(network, Range::NONE);
                continue;
            };
            let closed = value.action == action::REFUSE || value.flags & FAIL_CLOSED != 0;
            let flags = if closed { FAIL_CLOSED } else { 0 };
            let range = Range { flags, ..Range::new(network.first, network.bits) };
            ranges.insert(network, range);
            captured.push(block);
            for port in &service.ports {
                let key = DestinationKey::tcp(network.first, port.number.to_be());
                destinations.insert(key.in_range(&range), value);
            }
        }
        if captured.is_empty() {
            return (Self::default(), destinations);
        }
        let exceptions = exceptions(snapshot, &captured);
        // A range of the same key as an exception is a captured one.
        let mut all = exceptions.clone();
        all.extend(ranges);
        (Self { exceptions, all }, destinations)
    }
}

/// What is left out of captured ranges.
fn exceptions(snapshot: &Snapshot, captured: &[IpBlock]) -> HashMap<Network, Range> {
    let whole =
        |address: IpAddr| IpBlock::around(address, if address.is_ipv4() { 32 } else { 128 });
    let owned = snapshot.range_exceptions().filter_map(whole);
    let inside = |block: &IpBlock| captured.iter().any(|range| range.covers(block));
    let special = special().chain(MAPPED.parse().ok()).filter(inside);
    owned.chain(special).map(|block| (Network::of(block), Range::NONE)).collect()
}

/// Whether a range is wholly of addresses that are never captured.
fn is_special(block: IpBlock) -> bool {
    special().any(|special| special.covers(&block))
}

fn special() -> impl Iterator<Item = IpBlock> {
    SPECIAL.iter().filter_map(|text| text.parse().ok())
}

/// How many bits the prefix has that maps IPv4 into IPv6.
const MAPPED_BITS: u8 = 96;
/// IPv4 within IPv6, which no range of IPv6 means.
const MAPPED: &str = "::ffff:0:0/96";

#[cfg(test)]
mod tests;
