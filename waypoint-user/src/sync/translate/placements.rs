//! Where a waypoint runs, and whether it does.
//!
//! It asks nobody: a Gateway's status and annotations say it.

use std::net::IpAddr;

use gateway_api::experimental::gateways::Gateway;

use crate::{
    mesh::{
        label::{GATEWAY_NAME, INBOUND_BINDING, PLACEMENT},
        object::{ObjectName, ObjectRef},
        report::Report,
        snapshot::Settings,
        waypoint::{InboundBinding, Placement},
    },
    sync::{
        Served,
        finding::{error, notice, warning},
        objects::Objects,
    },
};

use super::{meta, services};

/// Where the waypoint runs; nowhere before its Gateway has an address.
pub(super) fn placement(
    objects: &Objects,
    settings: &Settings,
    served: Served,
    object: &ObjectRef,
    report: &mut Report,
) -> Option<Placement> {
    let gateway = objects.gateways.get(&object.name)?;
    if served == Served::Here {
        return Some(Placement::Here);
    }
    match meta::annotations(&gateway.metadata).get(PLACEMENT).map(String::as_str) {
        Some("node") => return Some(Placement::Node),
        None | Some("pods") => {}
        Some(other) => {
            let message = format!(
                "annotation {PLACEMENT}: {other:?} is neither node nor pods; it runs in pods"
            );
            report.add(object.clone(), error("InvalidPlacement", message));
        }
    }
    if !has_address(gateway) {
        let message = "it has no status.addresses and serves nobody until it has";
        report.add(object.clone(), notice("AddressNotAssigned", message));
        return None;
    }
    let addresses = addresses(objects, settings, object, gateway, report);
    if addresses.is_none() && !has_pods(objects, &object.name) {
        let message = "it is at none of its status.addresses and serves nobody until it is";
        report.add(object.clone(), notice("AddressNotUsable", message));
        return None;
    }
    Some(Placement::Pods(addresses.unwrap_or_default()))
}

/// Whether pods bear the Gateway's name. They are reached at their own addresses, so that a Service
/// which is gone does not let connections pass by a waypoint that is there.
fn has_pods(objects: &Objects, name: &ObjectName) -> bool {
    objects.pods.iter().any(|(pod, object)| {
        pod.namespace == name.namespace
            && meta::labels(&object.metadata).get(GATEWAY_NAME) == Some(&name.name)
    })
}

/// Whether the Gateway has an address, whatever that is.
pub(super) fn has_address(gateway: &Gateway) -> bool {
    listed(gateway).next().is_some()
}

/// How the waypoint's pods take connections: as its own annotation says, else its class's.
pub(super) fn inbound_binding(
    objects: &Objects,
    object: &ObjectRef,
    gateway: &Gateway,
    report: &mut Report,
) -> Option<InboundBinding> {
    let class = ObjectName::cluster(&gateway.spec.gateway_class_name);
    let class = objects.gateway_classes.get(&class).map(|class| meta::annotations(&class.metadata));
    let own = meta::annotations(&gateway.metadata).get(INBOUND_BINDING);
    let text = own.or_else(|| class.and_then(|annotations| annotations.get(INBOUND_BINDING)))?;
    let binding = InboundBinding::parse(text);
    if binding.is_none() {
        let message = format!(
            "annotation {INBOUND_BINDING}: {text:?} is not NONE or PROXY, with or without /port"
        );
        report.add(object.clone(), error("InvalidInboundBinding", message));
    }
    binding
}

/// Type and value of the addresses in the status.
fn listed(gateway: &Gateway) -> impl Iterator<Item = (&str, &str)> {
    let listed = gateway.status.iter().flat_map(|status| status.addresses.iter().flatten());
    let listed = listed.filter(|one| !one.value.is_empty());
    listed.map(|one| (one.r#type.as_deref().unwrap_or(IP_ADDRESS), one.value.as_str()))
}

/// The addresses: as they are, or those of the Service that a host name names; `None` where not one
/// of them is, or names, anything.
fn addresses(
    objects: &Objects,
    settings: &Settings,
    object: &ObjectRef,
    gateway: &Gateway,
    report: &mut Report,
) -> Option<Vec<IpAddr>> {
    let mut addresses: Option<Vec<IpAddr>> = None;
    for (kind, value) in listed(gateway) {
        let found = match kind {
            IP_ADDRESS => value.parse().map(|one| vec![one]).ok(),
            HOSTNAME => of_service(objects, settings, value),
            _ => None,
        };
        if let Some(found) = found {
            addresses.get_or_insert_default().extend(found);
        } else {
            let message =
                format!("status.addresses: {kind} {value:?} is no address and no Service");
            report.add(object.clone(), warning("UnsupportedAddress", message));
        }
    }
    if let Some(addresses) = &mut addresses {
        addresses.dedup();
    }
    addresses
}

/// The virtual addresses of the Service of this host name, if there is one.
fn of_service(objects: &Objects, settings: &Settings, host: &str) -> Option<Vec<IpAddr>> {
    let host = host.strip_suffix(settings.cluster_domain.as_str()).unwrap_or(host);
    let (name, rest) = host.split_once('.')?;
    let namespace = rest.trim_end_matches('.').strip_suffix(".svc")?;
    let service = objects.services.get(&ObjectName::new(namespace, name))?;
    Some(services::vips(service.spec.as_ref()?).unwrap_or_default())
}

const IP_ADDRESS: &str = "IPAddress";
const HOSTNAME: &str = "Hostname";
