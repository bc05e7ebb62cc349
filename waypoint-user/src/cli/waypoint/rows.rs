//! What there is to say of a Gateway: its revision, what it takes, and its conditions.
//!
//! It asks nobody.

use gateway_api::experimental::{gatewayclasses::GatewayClass, gateways::Gateway};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};

use crate::mesh::{
    label::{REVISION, WAYPOINT_CLASS, WAYPOINT_FOR},
    object::ObjectName,
    waypoint::TrafficType,
};

/// The Gateways that are waypoints, in order.
pub(super) fn waypoints(gateways: Vec<Gateway>) -> Vec<Gateway> {
    let mut waypoints = gateways;
    waypoints.retain(is_waypoint);
    waypoints.sort_by_cached_key(name);
    waypoints
}

/// Whether a Gateway is of the class of waypoints.
pub(super) fn is_waypoint(gateway: &Gateway) -> bool {
    gateway.spec.gateway_class_name == WAYPOINT_CLASS
}

/// Its namespace and name.
pub(super) fn name(gateway: &Gateway) -> ObjectName {
    let ObjectMeta { namespace, name, .. } = &gateway.metadata;
    ObjectName::new(namespace.clone().unwrap_or_default(), name.clone().unwrap_or_default())
}

/// The revision that it is for; empty for the default one.
pub(super) fn revision(gateway: &Gateway) -> &str {
    label(&gateway.metadata, REVISION).unwrap_or_default()
}

/// What traffic it takes: what its own label says, else its class's, else Services'.
pub(super) fn traffic<'a>(gateway: &'a Gateway, classes: &'a [GatewayClass]) -> &'a str {
    let of_class = || {
        let mut classes = classes.iter();
        let is_own = |class: &&GatewayClass| {
            class.metadata.name.as_deref() == Some(gateway.spec.gateway_class_name.as_str())
        };
        classes.find(is_own).and_then(|class| label(&class.metadata, WAYPOINT_FOR))
    };
    let own = label(&gateway.metadata, WAYPOINT_FOR).or_else(of_class);
    own.unwrap_or(TrafficType::default().as_str())
}

/// The addresses in its status.
pub(super) fn addresses(gateway: &Gateway) -> Vec<&str> {
    let listed = gateway.status.iter().flat_map(|status| status.addresses.iter().flatten());
    listed.map(|address| address.value.as_str()).collect()
}

/// All conditions.
pub(super) fn conditions(gateway: &Gateway) -> &[Condition] {
    let status = gateway.status.as_ref();
    status.and_then(|status| status.conditions.as_deref()).unwrap_or_default()
}

/// Whether it is programmed, as its controller says.
pub(super) fn programmed(gateway: &Gateway) -> Option<&Condition> {
    conditions(gateway).iter().find(|condition| condition.type_ == PROGRAMMED)
}

/// Whether it is programmed as it is written now.
pub(super) fn is_programmed(gateway: &Gateway) -> bool {
    programmed(gateway).is_some_and(|condition| {
        let of_now = match (condition.observed_generation, gateway.metadata.generation) {
            (Some(observed), Some(written)) => observed >= written,
            _ => true,
        };
        condition.status == "True" && of_now
    })
}

fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// The type of the condition that counts.
pub(super) const PROGRAMMED: &str = "Programmed";
