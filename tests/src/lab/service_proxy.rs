//! What kube-proxy is to nodes of a cluster: a connection to a Service's virtual address goes to
//! one of its ready pods, at random.
//!
//! It is the lab's network and no part of the product, as kube-proxy is none. It knows the Services
//! and pods that the lab made, not those in files of any text, and leads no pod to itself.
//!
//! **Invariant:** the rules of a node change in one transaction; what is connected stays.

use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
};

use anyhow::Result;

use super::{Inhabitant, Lab, VirtualService};

impl Lab {
    /// Leads to the pods that are ready now, where that is the cluster's to do: on several nodes
    /// that follow a control plane. Elsewhere the agents do it.
    pub(super) fn lead_services(&self) -> Result<()> {
        if self.mesh.is_none() || !self.has_service_proxy() {
            return Ok(());
        }
        let rules = self.rules();
        self.nodes.all().try_for_each(|node| node.netns.nft(&rules))
    }

    /// Whether Services are led by the lab and not by its agents.
    pub(super) fn has_service_proxy(&self) -> bool {
        self.underlay.is_some() && self.manifests.control_plane().is_some()
    }

    fn rules(&self) -> String {
        let mut rules = format!(
            "table inet {TABLE}\ndelete table inet {TABLE}\n\
             table inet {TABLE} {{\nchain services {{\n"
        );
        for service in self.services.values().filter(|one| !one.object.headless) {
            for address in service.addresses.both() {
                for (_, port, target) in service.object.ports() {
                    let endpoints = self.endpoints(service, address, target);
                    rules += &way(SocketAddr::new(address, port), &endpoints);
                }
            }
        }
        rules + HOOKS
    }

    fn endpoints(&self, service: &VirtualService, address: IpAddr, target: u16) -> Vec<SocketAddr> {
        let pods = self.pods.values().filter(|one| service.object.leads_to(&one.pod));
        let own = |one: &Inhabitant| one.addresses.both();
        let addresses = pods.flat_map(own).filter(|one| one.is_ipv4() == address.is_ipv4());
        addresses.map(|address| SocketAddr::new(address, target)).collect()
    }
}

/// The rule of a virtual address and port.
fn way(front: SocketAddr, endpoints: &[SocketAddr]) -> String {
    let family = if front.is_ipv4() { "ip" } else { "ip6" };
    let matches = format!("{family} daddr {} tcp dport {}", front.ip(), front.port());
    if endpoints.is_empty() {
        return format!("{matches} reject with tcp reset\n");
    }
    let mut choices = String::new();
    for (number, endpoint) in endpoints.iter().enumerate() {
        let _infallible = write!(choices, "{number} : {} . {}, ", endpoint.ip(), endpoint.port());
    }
    let count = endpoints.len();
    format!("{matches} dnat {family} to numgen random mod {count} map {{ {choices} }}\n")
}

const TABLE: &str = "lab-services";
/// Pods' packets come by the one, the node's own by the other.
const HOOKS: &str = "\
}
chain pods { type nat hook prerouting priority -100; jump services; }
chain node { type nat hook output priority -100; jump services; }
}
";

#[cfg(test)]
mod tests;
