//! A Service: virtual addresses, ports, and the endpoints behind them.
//!
//! It chooses no endpoint; that is `balance`.

use std::net::IpAddr;

use super::{
    address::IpBlock,
    binding::{Binding, Canary, FailMode},
    external::{External, Resolution},
    label::Labels,
    object::ObjectName,
    policy::PolicyTarget,
};

/// A Kubernetes Service that has addresses or endpoints, or one host of a ServiceEntry;
/// ExternalName Services are left out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    /// Its name; of a ServiceEntry's host see [`service_name`](super::external::service_name).
    pub name: ObjectName,
    /// What a ServiceEntry says, if it is a host of one.
    pub external: Option<External>,
    /// Its labels.
    pub labels: Labels,
    /// Its cluster IPs; none for a headless Service.
    pub vips: Vec<IpAddr>,
    /// Its ports, as declared.
    pub ports: Vec<ServicePort>,
    /// Its endpoints, ready or not, in no particular order.
    pub endpoints: Vec<Endpoint>,
    /// Its waypoint.
    pub binding: Binding,
    /// Which of its ready endpoints take traffic, by where they are.
    pub distribution: Distribution,
    /// A second waypoint beside the one it is bound to.
    pub canary: Option<Canary>,
    /// What happens when its waypoint is missing.
    pub fail_mode: FailMode,
    /// Whether its waypoint-bound connections are refused while no agent serves them.
    pub fail_closed: bool,
}

impl Service {
    /// A Service of this name with nothing else said.
    pub fn new(name: ObjectName) -> Self {
        Self {
            name,
            external: None,
            labels: Labels::new(),
            vips: Vec::new(),
            ports: Vec::new(),
            endpoints: Vec::new(),
            binding: Binding::Direct,
            distribution: Distribution::Unset,
            canary: None,
            fail_mode: FailMode::Unset,
            fail_closed: false,
        }
    }

    /// Whether it has no virtual address.
    pub fn is_headless(&self) -> bool {
        self.vips.is_empty() && self.ranges().is_empty()
    }

    /// The waypoints that take its connections: the one that it is bound to, and a second one.
    pub fn waypoints(&self) -> impl Iterator<Item = &ObjectName> {
        let second = self.canary.as_ref().map(|canary| &canary.waypoint);
        self.binding.waypoint().into_iter().chain(second)
    }

    /// Whether it is one of these.
    pub fn is_served_by(&self, waypoint: &ObjectName) -> bool {
        self.waypoints().any(|one| one == waypoint)
    }

    /// Ranges of addresses by which clients dial it.
    pub fn ranges(&self) -> &[IpBlock] {
        self.external.as_ref().map_or(&[], |external| &external.ranges)
    }

    /// How its endpoints are found.
    pub fn resolution(&self) -> &Resolution {
        self.external.as_ref().map_or(&Resolution::Listed, |external| &external.resolution)
    }

    /// The host of a ServiceEntry, else `name.namespace.svc.domain`.
    pub fn host(&self, domain: &str) -> String {
        match self.external {
            Some(_) => self.name.name.trim_end_matches('.').to_owned(),
            None => format!("{}.{}.svc.{domain}", self.name.name, self.name.namespace),
        }
    }

    /// What policies name that are attached to it alone.
    pub fn policy_target(&self) -> PolicyTarget {
        match &self.external {
            Some(external) => PolicyTarget::ServiceEntry(external.entry.clone()),
            None => PolicyTarget::Service(self.name.clone()),
        }
    }

    /// The declared port of this number.
    pub fn port(&self, number: u16) -> Option<&ServicePort> {
        self.ports.iter().find(|port| port.number == number)
    }
}

/// A port of a Service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServicePort {
    /// Its name, empty when it has none.
    pub name: String,
    /// The port clients dial.
    pub number: u16,
    /// What is spoken on it, as declared.
    pub protocol: AppProtocol,
}

/// The application protocol of a port, from `appProtocol` or the port's name.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AppProtocol {
    /// Not declared: look at the first bytes.
    #[default]
    Detect,
    /// HTTP/1.
    Http,
    /// HTTP/2 with prior knowledge, and gRPC.
    Http2,
    /// Anything; never look at it.
    Tcp,
}

/// Which ready endpoints take traffic, by where they are: of what is asked for, the strictest.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Distribution {
    /// Nothing is asked for: any of them.
    #[default]
    Unset,
    /// Any of them, because it is asked for.
    Any,
    /// Those of the same zone; if there are none of the same region; if there are none any.
    PreferZone,
    /// Those of the same node; else as [`PreferZone`](Self::PreferZone).
    PreferNode,
    /// Those of the same node, and no others (`internalTrafficPolicy: Local`).
    OnlyNode,
}

impl Distribution {
    /// How people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Any => "Any",
            Self::PreferZone => "PreferSameZone",
            Self::PreferNode => "PreferSameNode",
            Self::OnlyNode => "Local",
        }
    }
}

/// One address behind a Service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// The pod it belongs to, if one is known.
    pub workload: Option<ObjectName>,
    /// For each port of the Service, by the Service's port number, where to dial.
    pub ports: Vec<(u16, u16)>,
    /// Whether it takes traffic.
    pub ready: bool,
    /// How much of the requests it gets, next to its fellows; one at least.
    pub weight: u32,
}

impl Endpoint {
    /// Where to dial for a port of the Service.
    pub fn target_port(&self, service_port: u16) -> Option<u16> {
        self.ports.iter().find(|(port, _)| *port == service_port).map(|(_, target)| *target)
    }
}

#[cfg(test)]
mod tests;
