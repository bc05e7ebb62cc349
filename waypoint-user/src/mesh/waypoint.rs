//! A waypoint: a Gateway of a waypoint class.
//!
//! It does not say which of its instances are ready; they are workloads.

use std::net::IpAddr;

use super::{
    binding::FailMode,
    label::{Labels, Selector, WAYPOINT_CLASS},
    object::ObjectName,
};

/// A Gateway that can stand before services and workloads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Waypoint {
    /// The Gateway's name.
    pub name: ObjectName,
    /// Its GatewayClass.
    pub class: String,
    /// What traffic it takes.
    pub takes: TrafficType,
    /// From which namespaces objects may ask for it.
    pub allowed: AllowedNamespaces,
    /// The service account of its namespace for whose pods, and for Services of nothing but those,
    /// it stands where no label speaks; annotation
    /// [`FOR_SERVICE_ACCOUNT`](super::label::FOR_SERVICE_ACCOUNT).
    pub for_account: Option<String>,
    /// Whether it ever became ready; an unready waypoint cannot be bound.
    pub ready: bool,
    /// Where it runs.
    pub placement: Placement,
    /// How its pods take connections, if something terminates HBONE in front of them.
    pub inbound_binding: Option<InboundBinding>,
    /// Its fail mode, for objects that have none of their own.
    pub fail_mode: FailMode,
}

impl Waypoint {
    /// A ready waypoint of this name, for the services of its namespace.
    pub fn new(name: ObjectName) -> Self {
        Self {
            name,
            class: WAYPOINT_CLASS.to_owned(),
            takes: TrafficType::Service,
            allowed: AllowedNamespaces::Same,
            for_account: None,
            ready: true,
            placement: Placement::Here,
            inbound_binding: None,
            fail_mode: FailMode::Unset,
        }
    }
}

/// Where a waypoint runs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Placement {
    /// In whatever process reads this; so in `standalone`.
    #[default]
    Here,
    /// In the agent of the client's node; annotation [`PLACEMENT`](super::label::PLACEMENT).
    Node,
    /// In pods of its own; the Gateway's addresses, which are also the address of waypoints whose
    /// pods are not known.
    Pods(Vec<IpAddr>),
}

/// How the pods of a waypoint take connections from the agent of their node, which terminates HBONE
/// for them; annotation [`INBOUND_BINDING`](super::label::INBOUND_BINDING).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InboundBinding {
    /// Whether a PROXY header (version 2) goes before what the client says.
    pub proxy: bool,
    /// The port of the pod, where it is not the destination's own.
    pub port: Option<u16>,
}

impl InboundBinding {
    /// Parses `NONE` or `PROXY`, and perhaps `/port`.
    pub fn parse(text: &str) -> Option<Self> {
        let (word, port) = match text.split_once('/') {
            Some((word, port)) => (word, Some(port.parse().ok().filter(|port| *port > 0)?)),
            None => (text, None),
        };
        match word {
            "NONE" => Some(Self { proxy: false, port }),
            "PROXY" => Some(Self { proxy: true, port }),
            _ => None,
        }
    }
}

/// Traffic that a waypoint takes; label [`WAYPOINT_FOR`](super::label::WAYPOINT_FOR).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TrafficType {
    /// Connections addressed to a Service.
    #[default]
    Service,
    /// Connections addressed to a pod.
    Workload,
    /// Both.
    All,
    /// Neither; also what any unknown word means.
    None,
}

impl TrafficType {
    /// Parses a label value; an unknown word takes nothing, as in Istio.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "service" => Some(Self::Service),
            "workload" => Some(Self::Workload),
            "all" => Some(Self::All),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    /// Whether service-addressed connections are taken.
    pub const fn takes_services(self) -> bool {
        matches!(self, Self::Service | Self::All)
    }

    /// Whether workload-addressed connections are taken.
    pub const fn takes_workloads(self) -> bool {
        matches!(self, Self::Workload | Self::All)
    }

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Workload => "workload",
            Self::All => "all",
            Self::None => "none",
        }
    }
}

/// The `allowedRoutes.namespaces` of the waypoint's listener.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum AllowedNamespaces {
    /// The Gateway's own namespace.
    #[default]
    Same,
    /// Every namespace.
    All,
    /// Namespaces whose labels the selector matches.
    Selector(Selector),
}

impl AllowedNamespaces {
    /// Whether objects of the namespace may use a waypoint of `own`.
    pub fn allow(&self, own: &str, namespace: &str, namespace_labels: &Labels) -> bool {
        match self {
            Self::Same => own == namespace,
            Self::All => true,
            Self::Selector(selector) => selector.matches(namespace_labels),
        }
    }
}

#[cfg(test)]
mod tests;
