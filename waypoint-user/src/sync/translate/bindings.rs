//! Services to waypoints: which one, which second one, and what there is to say of it.
//!
//! Whose label counts is `select`'s; what becomes of traffic whose waypoint is missing is
//! `closed`'s.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::Service as Declared, apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::{
    mesh::{
        binding::{Binding, RefusalReason},
        condition::{Condition, WAYPOINT_BOUND},
        label::{INGRESS_USE_WAYPOINT, USE_WAYPOINT},
        object::{ObjectName, ObjectRef},
        report::{Finding, Report},
        service::{Endpoint, Service},
    },
    select::{Asking, CanaryRefusal},
    sync::finding::{notice, warning},
};

use super::{meta, pods::Workloads, scene::Scene};

/// Binds a Service that has its endpoints.
pub(super) fn bind(
    scene: &Scene<'_>,
    (object, declared): (&ObjectRef, &Declared),
    service: &mut Service,
    workloads: &Workloads,
    report: &mut Report,
) {
    service.binding = binding(scene, service, workloads);
    let refused = canary(scene, &declared.metadata, service);
    if let Some(refusal) = &refused {
        report.add(object.clone(), warning(refusal.reason(), not_attached(refusal)));
    }
    if service.vips.is_empty() && service.binding.waypoint().is_some() {
        report.add(object.clone(), headless(service));
    }
    let ingress = ingress(scene, object, service);
    let Some(mut condition) = condition(&service.binding, ingress, refused.as_ref()) else {
        return;
    };
    if condition.reason == RefusalReason::MixedServiceAccounts.as_str() {
        let accounts = accounts_in_words(service, workloads);
        report.add(object.clone(), notice(&condition.reason, format!("endpoints: {accounts}")));
        condition.message = format!("{}: {accounts}", condition.message);
    }
    report.set(object.clone(), condition);
}

/// What there is to say of a Service without an address that is bound: a warning where it was
/// labelled for its own sake.
fn headless(service: &Service) -> Finding {
    let message = "it is headless: its clients dial its pods, whose own waypoints count";
    if service.labels.contains_key(USE_WAYPOINT) {
        let then = "label those with istio.io/use-waypoint, for a waypoint that is for workloads";
        return warning("Headless", format!("{message}; {then}"));
    }
    notice("Headless", message)
}

/// The waypoint that labels ask for; where there are none, that of the endpoints' account.
fn binding(scene: &Scene<'_>, service: &Service, workloads: &Workloads) -> Binding {
    let (namespace, labels) = (&service.name.namespace, &service.labels);
    let by_label = scene.mesh().for_service(namespace, labels);
    if by_label != Binding::Direct || !scene.has_accounts() {
        return by_label;
    }
    let accounts: Vec<Option<ObjectName>> =
        service.endpoints.iter().map(|endpoint| account(endpoint, workloads)).collect();
    let accounts: Vec<Option<&ObjectName>> = accounts.iter().map(Option::as_ref).collect();
    scene.mesh().for_service_by_accounts(namespace, labels, &accounts)
}

/// The account that an endpoint runs under, if it is a pod.
fn account(endpoint: &Endpoint, workloads: &Workloads) -> Option<ObjectName> {
    let workload = workloads.get(endpoint.workload.as_ref()?)?;
    let identity = &workload.identity;
    Some(ObjectName::new(&identity.namespace, &identity.service_account))
}

/// The endpoints by account, each account with the first of its pods.
fn accounts_in_words(service: &Service, workloads: &Workloads) -> String {
    let mut of_account: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for endpoint in &service.endpoints {
        let account = account(endpoint, workloads);
        let account = account.map_or("no account".to_owned(), |account| account.to_string());
        let pod = endpoint.workload.as_ref().map(ToString::to_string);
        let pods = of_account.entry(account).or_default();
        let pod = pod.unwrap_or_else(|| endpoint.address.to_string());
        if !pods.contains(&pod) {
            pods.push(pod);
        }
    }
    let words = of_account.iter().map(|(account, pods)| match pods.as_slice() {
        [] => account.clone(),
        [only] => format!("{account} ({only})"),
        [first, more @ ..] => format!("{account} ({first} and {} more)", more.len()),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The condition of what is bound, or is not though a waypoint is asked for.
pub(super) fn condition(
    binding: &Binding,
    ingress: &str,
    canary: Option<&CanaryRefusal>,
) -> Option<Condition> {
    match binding {
        Binding::Direct => None,
        Binding::Bound(waypoint) => {
            let mut message = format!("Successfully attached to waypoint {waypoint}{ingress}");
            if let Some(refusal) = canary {
                message = format!("{message}. {}", not_attached(refusal));
            }
            Some(Condition::new(WAYPOINT_BOUND, true, "WaypointAccepted", message))
        }
        Binding::Refused(refusal) => {
            let reason = refusal.reason.as_str();
            Some(Condition::new(WAYPOINT_BOUND, false, reason, refusal.message()))
        }
    }
}

/// Finds the second waypoint, if one is asked for; or says why it is not used.
pub(super) fn canary(
    scene: &Scene<'_>,
    metadata: &ObjectMeta,
    service: &mut Service,
) -> Option<CanaryRefusal> {
    let namespace = &service.name.namespace;
    let asking = Asking {
        namespace,
        labels: meta::labels(metadata),
        annotations: meta::annotations(metadata),
        namespace_annotations: scene.namespace_annotations(namespace),
    };
    match scene.mesh().canary(&asking, service.binding.waypoint()?) {
        Ok(canary) => {
            service.canary = canary;
            None
        }
        Err(refusal) => Some(refusal),
    }
}

/// What there is to say of a second waypoint that is not used.
pub(super) fn not_attached(refusal: &CanaryRefusal) -> String {
    format!("Canary waypoint not attached: {}", refusal.message())
}

/// What there is to say of ingress gateways where a label speaks of them, the Service's before its
/// namespace's. Gateways of other people decide for themselves, and none is made to come here, so
/// it is never said that their traffic does.
fn ingress(scene: &Scene<'_>, object: &ObjectRef, service: &Service) -> &'static str {
    let own = service.labels.get(INGRESS_USE_WAYPOINT).cloned();
    let inherited =
        || scene.namespace_labels(&object.name.namespace).get(INGRESS_USE_WAYPOINT).cloned();
    match own.or_else(inherited) {
        None => "",
        Some(value) if meta::is_true(&value) => {
            ". Ingress traffic is not using the waypoint: istio.io/ingress-use-waypoint is not \
             supported yet"
        }
        Some(_) => {
            ". Ingress traffic is not using the waypoint, set the istio.io/ingress-use-waypoint \
             label to true if desired."
        }
    }
}
