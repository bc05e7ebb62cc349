//! Labels and annotations that do not do what they seem to.
//!
//! It changes nothing; it only tells.

use std::fmt::Display;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{
    mesh::{
        binding::Binding,
        label::{
            CANARY, CANARY_NAMESPACE, DATAPLANE_MODE, FOR_SERVICE_ACCOUNT, INGRESS_USE_WAYPOINT,
            Labels, NO_WAYPOINT, USE_WAYPOINT, USE_WAYPOINT_NAMESPACE, WAYPOINT_FOR,
        },
        object::{ObjectName, ObjectRef},
        report::{Finding, Report},
        waypoint::Waypoint,
    },
    select::Accounts,
    sync::finding::{accepted, error, notice, warning},
};

use super::meta;

/// Remarks on the labels of a Namespace, Service or Pod; `inherited` are its namespace's labels.
pub(super) fn labels(
    object: &ObjectRef,
    metadata: &ObjectMeta,
    inherited: Option<&Labels>,
    report: &mut Report,
) {
    let labels = meta::labels(metadata);
    let mut warn = |reason: &str, message: String| {
        report.add(object.clone(), warning(reason, message));
    };
    if labels.contains_key(USE_WAYPOINT_NAMESPACE) && !labels.contains_key(USE_WAYPOINT) {
        let from = if inherited.is_some_and(|all| all.contains_key(USE_WAYPOINT)) {
            "; the namespace's label alone decides"
        } else {
            ""
        };
        warn(
            "LabelIgnored",
            format!("{USE_WAYPOINT_NAMESPACE} without {USE_WAYPOINT} beside it{from}"),
        );
    }
    if let Some(value) = labels.get(USE_WAYPOINT)
        && value != NO_WAYPOINT
        && value.eq_ignore_ascii_case(NO_WAYPOINT)
    {
        warn(
            "ReservedName",
            format!("{USE_WAYPOINT}: {value} names a Gateway; no waypoint is {NO_WAYPOINT}"),
        );
    }
    if let Some(value) = labels.get(DATAPLANE_MODE)
        && value != "ambient"
        && value != "none"
    {
        warn(
            "UnknownDataplaneMode",
            format!("{DATAPLANE_MODE}: {value} is neither ambient nor none"),
        );
    }
    for key in LABELS {
        if meta::annotations(metadata).contains_key(key) {
            warn("AnnotationIgnored", format!("{key} is a label; as an annotation it is ignored"));
        }
    }
    for key in UNSUPPORTED.iter().filter(|key| labels.contains_key(**key)) {
        warn("Unsupported", format!("label {key} is not supported yet; it is ignored"));
    }
}

/// Tells what a Service or a workload is bound to, or why not.
pub(super) fn binding(object: &ObjectRef, binding: &Binding, closed: bool, report: &mut Report) {
    let finding = match binding {
        Binding::Direct => return,
        Binding::Bound(waypoint) => {
            accepted("WaypointAccepted", format!("Successfully attached to waypoint {waypoint}"))
        }
        Binding::Refused(refusal) => {
            let then = if closed { "connections are refused" } else { "connections go direct" };
            error(refusal.reason.as_str(), format!("{}; {then}", refusal.message()))
        }
    };
    report.add(object.clone(), finding);
}

/// Tells of a Gateway that stands for a service account which another one stands for already.
pub(super) fn account(waypoint: &Waypoint, accounts: &Accounts, report: &mut Report) {
    let Some(account) = &waypoint.for_account else { return };
    let account = ObjectName::new(&waypoint.name.namespace, account);
    let stands = accounts.waypoint(&account).filter(|name| **name != waypoint.name);
    if let Some(other) = stands {
        let message =
            format!("{FOR_SERVICE_ACCOUNT}: Gateway {other} stands for account {account} already");
        report.add(
            ObjectRef::new("Gateway", waypoint.name.clone()),
            warning("AccountTaken", message),
        );
    }
}

/// Tells that an address is another object's already.
pub(super) fn address_taken(address: &impl Display, by: &ObjectRef) -> Finding {
    error("AddressConflict", format!("{address} belongs to {by}; connections to it are that one's"))
}

/// Tells that a thing works otherwise than in Istio or in Kubernetes.
pub(super) fn tell(object: &ObjectRef, reason: &str, message: String, report: &mut Report) {
    report.add(object.clone(), notice(reason, message));
}

/// Labels that people write as annotations.
const LABELS: [&str; 6] =
    [DATAPLANE_MODE, USE_WAYPOINT, USE_WAYPOINT_NAMESPACE, CANARY, CANARY_NAMESPACE, WAYPOINT_FOR];
/// Labels that Istio reads and we do not yet.
const UNSUPPORTED: [&str; 1] = [INGRESS_USE_WAYPOINT];
