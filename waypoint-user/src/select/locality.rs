//! Which of several ready endpoints take traffic, by where they are
//! (Istio `pilot/pkg/serviceregistry/ambient/services.go`, ztunnel `src/state.rs`).
//!
//! It knows no addresses and throws no dice.
//!
//! **Invariant:** the same endpoints seen from the same place give the same choice, in whatever
//! order they come; where it is not known from where they are seen, none is left out.

use crate::mesh::{
    object::ObjectName,
    service::Distribution,
    snapshot::Snapshot,
    workload::{Locality, Workload},
};

/// Where something runs; what is not known is empty.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Place<'s> {
    region: &'s str,
    zone: &'s str,
    node: &'s str,
}

impl<'s> Place<'s> {
    /// On a node, which need not be in the mesh.
    pub fn on_node(snapshot: &'s Snapshot, node: &'s str) -> Self {
        let known = snapshot.nodes().get(&ObjectName::cluster(node));
        let (region, zone) = known.map_or(("", ""), |node| (&node.region, &node.zone));
        Self { region, zone, node }
    }

    /// Where a workload runs.
    pub fn of_workload(snapshot: &'s Snapshot, workload: Option<&'s Workload>) -> Self {
        let Some(workload) = workload else { return Self::default() };
        match &workload.locality {
            Some(Locality { region, zone }) => Self { region, zone, node: &workload.node },
            None => Self::on_node(snapshot, &workload.node),
        }
    }

    /// How near another place is by a rule: the number of scopes that are shared, from the region
    /// down to the node, of which each counts only if those around it are shared too. What is
    /// unknown of both is shared. Nothing where the rule leaves the place out.
    pub fn nearness_of(self, other: Place<'_>, rule: Distribution) -> Option<u8> {
        let shares_region = self.region == other.region;
        let shares_zone = shares_region && self.zone == other.zone;
        let shares_node = self.node == other.node;
        match rule {
            _ if self.node.is_empty() => Some(0),
            Distribution::Unset | Distribution::Any => Some(0),
            Distribution::OnlyNode => shares_node.then_some(0),
            Distribution::PreferNode if shares_zone && shares_node => Some(3),
            Distribution::PreferNode | Distribution::PreferZone => {
                Some(u8::from(shares_region) + u8::from(shares_zone))
            }
        }
    }
}

/// Those of the endpoints that take traffic: the nearest.
pub fn nearest<T>(mut endpoints: Vec<T>, nearness: impl Fn(&T) -> Option<u8>) -> Vec<T> {
    let best = endpoints.iter().filter_map(&nearness).max();
    endpoints.retain(|one| best.is_some() && nearness(one) == best);
    endpoints
}

#[cfg(test)]
mod tests;
