//! Services by ranges of addresses.
//!
//! **Invariant:** of nested ranges the narrowest has an address, whatever ports it declares, as a
//! routing table has it; of equal ranges the Service that comes first.
//! **Invariant:** an address that is somebody's own, or that no connection between machines has, is
//! in no range.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
};

use super::{
    address::{IpBlock, is_special},
    service::Service,
};

/// Services by their ranges.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    services: HashMap<IpBlock, Arc<Service>>,
    /// The lengths of prefixes that there are, the longest first.
    lengths: BTreeSet<Reverse<u8>>,
    exceptions: BTreeSet<IpAddr>,
}

impl Ranges {
    /// The ranges of Services, without the addresses in them that belong to others.
    pub(super) fn new<'s>(
        services: impl Iterator<Item = &'s Arc<Service>>,
        owned: impl Iterator<Item = IpAddr>,
    ) -> Self {
        let mut ranges = Self::default();
        for service in services {
            let external = service.external.iter();
            for block in external.flat_map(|external| &external.ranges) {
                ranges.lengths.insert(Reverse(block.prefix_len()));
                ranges.services.entry(*block).or_insert_with(|| Arc::clone(service));
            }
        }
        if !ranges.services.is_empty() {
            let inside = owned.filter(|address| ranges.narrowest(*address).is_some());
            ranges.exceptions = inside.collect();
        }
        ranges
    }

    /// The Service in whose range an address is.
    pub(super) fn find(&self, address: IpAddr) -> Option<(IpBlock, &Arc<Service>)> {
        if self.services.is_empty() {
            return None;
        }
        let address = address.to_canonical();
        let free = !is_special(address) && !self.exceptions.contains(&address);
        free.then(|| self.narrowest(address)).flatten()
    }

    /// Every range, with the Service that has it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (IpBlock, &Arc<Service>)> {
        self.services.iter().map(|(block, service)| (*block, service))
    }

    /// Addresses in ranges that belong to others.
    pub(super) fn exceptions(&self) -> &BTreeSet<IpAddr> {
        &self.exceptions
    }

    fn narrowest(&self, address: IpAddr) -> Option<(IpBlock, &Arc<Service>)> {
        self.lengths.iter().find_map(|Reverse(length)| {
            let block = IpBlock::around(address, *length)?;
            self.services.get(&block).map(|service| (block, service))
        })
    }
}

#[cfg(test)]
mod tests;
