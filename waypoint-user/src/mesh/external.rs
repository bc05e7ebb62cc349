//! What a ServiceEntry says of a Service, beyond what a Kubernetes Service says of itself.
//!
//! It resolves no name; the proxy does.

use super::{address::IpBlock, object::ObjectName};

/// One host of a ServiceEntry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct External {
    /// The ServiceEntry.
    pub entry: ObjectName,
    /// Ranges by which clients dial it, beside its single addresses.
    pub ranges: Vec<IpBlock>,
    /// How its endpoints are found.
    pub resolution: Resolution,
    /// Whether only its own namespace may name it.
    pub private: bool,
}

/// How endpoints are found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Resolution {
    /// They are those of the Service.
    #[default]
    Listed,
    /// These names lead to more of them.
    Names(Vec<NamedEndpoint>),
    /// The address that the client dialled is the only one.
    Original,
}

impl Resolution {
    /// How people write it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Listed => "STATIC",
            Self::Names(_) => "DNS",
            Self::Original => "NONE",
        }
    }

    /// The names that lead to endpoints.
    pub fn names(&self) -> &[NamedEndpoint] {
        match self {
            Self::Names(names) => names,
            Self::Listed | Self::Original => &[],
        }
    }
}

/// Endpoints behind a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamedEndpoint {
    /// The name.
    pub host: String,
    /// For each port of the Service, by the Service's port number, where to dial.
    pub ports: Vec<(u16, u16)>,
    /// How much of the requests each of its addresses gets, next to its fellows; one at least.
    pub weight: u32,
}

impl NamedEndpoint {
    /// Where to dial for a port of the Service.
    pub fn target_port(&self, service_port: u16) -> Option<u16> {
        self.ports.iter().find(|(port, _)| *port == service_port).map(|(_, target)| *target)
    }
}

/// The name of the Service that a host is, in the namespace of its ServiceEntry: the host in lower
/// case. No Kubernetes Service has a name with a dot; a host without one ends with one here.
pub fn service_name(namespace: &str, host: &str) -> ObjectName {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let dot = if host.contains('.') { "" } else { "." };
    ObjectName::new(namespace, format!("{host}{dot}"))
}

/// Whether a host stands for many: it begins with `*`.
pub fn is_wildcard(host: &str) -> bool {
    host.starts_with('*')
}

/// The hosts that stand for many and for this one too, the nearest first.
pub fn wildcards_of(host: &str) -> impl Iterator<Item = String> {
    let mut rest = host;
    std::iter::from_fn(move || {
        (_, rest) = rest.split_once('.')?;
        Some(format!("*.{rest}"))
    })
}

/// The reason for which a host that stands for many is left out.
pub const NO_WAYPOINT: &str = "NoWaypointForWildcardService";
/// Istio's words for that.
pub const INERT: &str = "ServiceEntry will not apply until it is bound to a valid waypoint.";

/// The same, of one host.
pub fn inert(host: &str) -> String {
    format!("host {host}: {INERT}")
}

#[cfg(test)]
mod tests;
