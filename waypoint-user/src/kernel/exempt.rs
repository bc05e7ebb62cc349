//! Who may always connect to a pod of this node: the kubelet, by its control group or, where that
//! is not known, by the node's own addresses.
//!
//! It looks and changes nothing.

use std::{collections::HashMap, fs, os::unix::fs::MetadataExt as _, path::PathBuf};

use netlink_packet_route::{
    RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
};
use waypoint_common::addr::Addr;

use super::{
    Error, blocking,
    netlink::{self, RouteSocket},
};

/// What the maps of exemptions should hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Exempt {
    /// Entries of `exempt_cg`.
    pub(super) cgroups: HashMap<u64, u32>,
    /// Entries of `exempt_src`.
    pub(super) addresses: HashMap<Addr, u32>,
}

impl Exempt {
    /// As it is now. A control group that is not there is not known, and asked for again.
    pub(super) async fn find(cgroups: &[PathBuf]) -> Result<Self, Error> {
        // In version 2 the number of a control group is that of its directory.
        let number = |path: &PathBuf| Some((fs::metadata(path).ok()?.ino(), 0));
        let cgroups = cgroups.iter().filter_map(number).collect();
        let addresses = blocking::run(addresses).await.unwrap_or(Err(netlink::Error::Interrupted));
        Ok(Self { cgroups, addresses: addresses? })
    }
}

/// Every address of the host.
fn addresses() -> Result<HashMap<Addr, u32>, netlink::Error> {
    let listing = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let answers = RouteSocket::open()?.list(&listing, "listing addresses")?;
    let own = |answer| {
        let RouteNetlinkMessage::NewAddress(found) = answer else { return None };
        let local = found.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(address) => Some(*address),
            _ => None,
        });
        // IPv6 tells no local address where there is no other side.
        local.or_else(|| {
            found.attributes.iter().find_map(|attribute| match attribute {
                AddressAttribute::Address(address) => Some(*address),
                _ => None,
            })
        })
    };
    Ok(answers.into_iter().filter_map(own).map(|address| (address.into(), 0)).collect())
}
