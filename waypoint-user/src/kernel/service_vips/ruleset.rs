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
    ways: BTreeMap<SocketAddr, Way>,
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
        let ways_to = |service: &Arc<Service>| {
            let service = Arc::clone(service);
            let owner = |vip: &IpAddr| snapshot.service_of_vip(*vip);
            let own = service
                .vips
                .iter()
                .copied()
                .filter(|vip| owner(vip).is_some_and(|owner| Arc::ptr_eq(owner, &service)));
            own.flat_map(|vip| ways_of(&service, vip)).collect::<Vec<_>>()
        };
        snapshot.services().values().flat_map(ways_to).collect()
    }

    /// Every virtual address and port, and where it leads.
    pub(super) fn ways(&self) -> &BTreeMap<SocketAddr, Way> {
        &self.ways
    }

    /// The addresses of all endpoints.
    pub(super) fn endpoint_addresses(&self) -> BTreeSet<IpAddr> {
        self.ways.values().flat_map(|way| &way.endpoints).map(SocketAddr::ip).collect()
    }
}

impl FromIterator<(SocketAddr, Way)> for Ruleset {
    fn from_iter<I: IntoIterator<Item = (SocketAddr, Way)>>(ways: I) -> Self {
        Self { ways: ways.into_iter().collect() }
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
