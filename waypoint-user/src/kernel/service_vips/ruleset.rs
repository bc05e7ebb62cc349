//! What the table is to say, as values: where each virtual address and port leads.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use crate::mesh::{service::Service, snapshot::Snapshot};

/// The ways to every Service.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Ruleset {
    /// By virtual address and port.
    pub(super) ways: BTreeMap<SocketAddr, Way>,
}

/// Where a virtual address and port leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Way {
    /// The Service's name, for people who read the table.
    pub(super) service: String,
    /// The ready endpoints of the same family; without any, a connection is refused.
    pub(super) endpoints: BTreeSet<SocketAddr>,
}

impl Ruleset {
    /// What a Snapshot wants.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut ways = BTreeMap::new();
        // What is outside the cluster has its addresses by itself; who dials it is not in our way.
        let inside = snapshot.services().values().filter(|service| service.external.is_none());
        for service in inside {
            for vip in &service.vips {
                // Two Services may claim an address; the mesh says whose it is.
                if snapshot.service_of_vip(*vip).is_some_and(|owner| Arc::ptr_eq(owner, service)) {
                    ways.extend(ways_of(service, *vip));
                }
            }
        }
        Self { ways }
    }

    /// The addresses of all endpoints.
    pub(super) fn endpoint_addresses(&self) -> BTreeSet<IpAddr> {
        self.ways.values().flat_map(|way| &way.endpoints).map(SocketAddr::ip).collect()
    }
}

fn ways_of(service: &Service, vip: IpAddr) -> impl Iterator<Item = (SocketAddr, Way)> {
    let is_reachable = move |address: IpAddr| address.is_ipv4() == vip.is_ipv4();
    service.ports.iter().map(move |port| {
        let ready = service.endpoints.iter().filter(|endpoint| endpoint.ready);
        let endpoints = ready
            .filter(|endpoint| is_reachable(endpoint.address))
            .filter_map(|endpoint| {
                let target = endpoint.target_port(port.number)?;
                Some(SocketAddr::new(endpoint.address, target))
            })
            .collect();
        let way = Way { service: service.name.to_string(), endpoints };
        (SocketAddr::new(vip, port.number), way)
    })
}

#[cfg(test)]
mod tests;
