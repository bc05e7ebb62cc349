//! What a ServiceEntry's hosts lead to (Istio `pilot/pkg/serviceregistry/serviceentry`).
//!
//! It looks no name up; the proxy does.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::{
    mesh::{
        external::{NamedEndpoint, Resolution},
        object::ObjectName,
        service::Endpoint,
        workload::Workload,
    },
    sync::{
        objects::Objects,
        service_entry::{Resolution as Declared, ServiceEntry},
        workload_entry::Spec,
    },
};

use super::{
    endpoints::Sources,
    meta,
    workload_entries::{Address, weight},
};

/// What endpoints are looked for among.
pub(super) struct Around<'a> {
    sources: &'a Sources<'a>,
    by_address: HashMap<IpAddr, &'a ObjectName>,
}

/// Where connections to a host end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    /// At these addresses,
    pub(super) endpoints: Vec<Endpoint>,
    /// and as this says.
    pub(super) resolution: Resolution,
}

impl<'a> Around<'a> {
    /// The workloads by their addresses; of a source without ServiceEntries none.
    pub(super) fn new(objects: &Objects, sources: &'a Sources<'a>) -> Self {
        let mut by_address = HashMap::new();
        if !objects.service_entries.is_empty() {
            for workload in sources.workloads().filter(|workload| !workload.host_network) {
                for address in &workload.addresses {
                    by_address.entry(*address).or_insert(&workload.name);
                }
            }
        }
        Self { sources, by_address }
    }

    /// Where connections to a host end.
    pub(super) fn find(&self, namespace: &str, host: &str, declared: &ServiceEntry) -> Found {
        let spec = &declared.spec;
        let by_name = match spec.resolution {
            Declared::None => {
                return Found { resolution: Resolution::Original, ..Found::default() };
            }
            Declared::Static => false,
            Declared::Dns | Declared::DnsRoundRobin => true,
            Declared::DynamicDns => {
                return Found { resolution: Resolution::Names(Vec::new()), ..Found::default() };
            }
        };
        let mut places = Places::default();
        for endpoint in &spec.endpoints {
            self.add_listed(declared, endpoint, &mut places);
        }
        let wanted = spec.workload_selector.as_ref().map(|selector| &selector.labels);
        for workload in self.sources.selected(namespace, wanted) {
            self.add_workload(declared, workload, &mut places);
        }
        if by_name && spec.endpoints.is_empty() && wanted.is_none() {
            let ports = ports(declared, None);
            let host = host.trim_end_matches('.').to_owned();
            places.names.push(NamedEndpoint { host, ports, weight: 1 });
        }
        let Places { endpoints, names } = places;
        let resolution = if by_name { Resolution::Names(names) } else { Resolution::Listed };
        Found { endpoints, resolution }
    }

    /// An endpoint that the ServiceEntry itself lists.
    fn add_listed(&self, declared: &ServiceEntry, endpoint: &Spec, places: &mut Places) {
        let (ports, weight) = (ports(declared, Some(endpoint)), weight(endpoint));
        match Address::parse(&endpoint.address) {
            Some(Address::Ip(address)) => {
                let address = address.to_canonical();
                let workload = self.by_address.get(&address).map(|name| (*name).clone());
                let endpoint = Endpoint { address, workload, ports, ready: true, weight };
                places.endpoints.push(endpoint);
            }
            Some(Address::Name(host)) => {
                places.names.push(NamedEndpoint { host: host.to_owned(), ports, weight });
            }
            None => {}
        }
    }

    /// A pod or a WorkloadEntry that the ServiceEntry selects.
    fn add_workload(&self, declared: &ServiceEntry, workload: &Workload, places: &mut Places) {
        let entry = self.sources.entry(workload);
        let (ports, weight) = (ports(declared, entry), self.sources.weight(workload));
        let endpoints = workload.addresses.iter().map(|address| Endpoint {
            address: *address,
            workload: Some(workload.name.clone()),
            ports: ports.clone(),
            ready: workload.ready,
            weight,
        });
        places.endpoints.extend(endpoints);
        if let Some(Address::Name(host)) = entry.and_then(|entry| Address::parse(&entry.address)) {
            places.names.push(NamedEndpoint { host: host.to_owned(), ports, weight });
        }
    }
}

#[derive(Default)]
struct Places {
    endpoints: Vec<Endpoint>,
    names: Vec<NamedEndpoint>,
}

/// For each port of the host, where an endpoint takes it: where it says itself, else at the port's
/// target port, else at the same.
fn ports(declared: &ServiceEntry, endpoint: Option<&Spec>) -> Vec<(u16, u16)> {
    let ports = declared.spec.ports.iter();
    ports
        .filter_map(|port| {
            let number = meta::port(port.number).ok()?;
            let own = endpoint.and_then(|endpoint| endpoint.ports.get(&port.name));
            let target = own.copied().or((port.target_port != 0).then_some(port.target_port));
            Some((number, target.map_or(Some(number), |target| meta::port(target).ok())?))
        })
        .collect()
}
