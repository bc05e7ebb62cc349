//! A Gateway of a waypoint class.

use std::{fmt::Write as _, net::IpAddr};

use super::{Manifest, Meta, Object, PLACEMENT, WAYPOINT_FOR};

/// A Gateway of class `istio-waypoint`.
#[derive(Clone, Debug)]
pub struct Gateway {
    pub(in crate::lab) meta: Meta,
    allowed: String,
    addresses: Vec<IpAddr>,
}

impl Gateway {
    /// For services of its own namespace.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            meta: Meta::new(namespace, name),
            allowed: "{from: Same}".to_owned(),
            addresses: Vec::new(),
        }
    }

    /// For `service`, `workload`, `all` or `none` traffic.
    #[must_use]
    pub fn serving(self, traffic: &str) -> Self {
        self.label(WAYPOINT_FOR, traffic)
    }

    /// For objects of every namespace.
    #[must_use]
    pub fn from_all(mut self) -> Self {
        "{from: All}".clone_into(&mut self.allowed);
        self
    }

    /// For objects of namespaces with a label.
    #[must_use]
    pub fn from_labelled(mut self, key: &str, value: &str) -> Self {
        self.allowed =
            format!("{{from: Selector, selector: {{matchLabels: {{{key}: {value:?}}}}}}}");
        self
    }

    /// In the agent of each client's node.
    #[must_use]
    pub fn on_nodes(self) -> Self {
        self.annotation(PLACEMENT, "node")
    }

    /// Reached at an address, as its status says.
    #[must_use]
    pub fn at(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.addresses = addresses.into_iter().collect();
        self
    }

    /// Whether somebody said where it is.
    pub(in crate::lab) fn has_a_place(&self) -> bool {
        !self.addresses.is_empty() || self.meta.annotations.contains_key(PLACEMENT)
    }

    pub(in crate::lab) fn manifest(self) -> Manifest {
        let mut rest = format!(
            "\
spec:
  gatewayClassName: istio-waypoint
  listeners:
  - name: mesh
    port: 15008
    protocol: HBONE
    allowedRoutes:
      namespaces: {}
",
            self.allowed
        );
        if !self.addresses.is_empty() {
            rest += "status:\n  addresses:\n";
        }
        for address in &self.addresses {
            let _infallible = writeln!(rest, "  - {{type: IPAddress, value: '{address}'}}");
        }
        Manifest { kind: "Gateway", version: "gateway.networking.k8s.io/v1", meta: self.meta, rest }
    }
}

impl Object for Gateway {
    fn meta(&mut self) -> &mut Meta {
        &mut self.meta
    }
}
