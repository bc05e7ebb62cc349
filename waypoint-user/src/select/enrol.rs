//! Whether a pod's connections are captured.
//!
//! It does not look at phases: a pod that has ended is no workload at all.

use crate::mesh::{
    label::{DATAPLANE_MODE, GATEWAY_NAME, Labels, MANAGED},
    object::ObjectName,
    workload::Enrolment,
};

/// What enrolment looks at in a pod.
#[derive(Clone, Copy, Debug)]
pub struct Pod<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its namespace's labels.
    pub namespace_labels: &'a Labels,
    /// Its labels.
    pub labels: &'a Labels,
    /// Whether it shares the node's network.
    pub host_network: bool,
    /// Whether it has a sidecar.
    pub sidecar: bool,
    /// Whether it is an instance of a waypoint.
    pub waypoint: bool,
}

/// Whether the pod's connections are captured; the pod's label goes before its namespace's, and
/// what makes capture impossible or harmful goes before both.
pub fn enrolment(pod: &Pod<'_>, excluded_namespaces: &[String]) -> Enrolment {
    if pod.host_network {
        Enrolment::HostNetwork
    } else if excluded_namespaces.iter().any(|excluded| excluded == pod.namespace) {
        Enrolment::ExcludedNamespace
    } else if pod.waypoint {
        Enrolment::Waypoint
    } else if pod.sidecar {
        Enrolment::Sidecar
    } else {
        by_labels(pod.labels, pod.namespace_labels)
    }
}

/// The Gateway that the pod is an instance of: the one its labels name, if that is a waypoint or
/// the controller of waypoints says that it made the pod.
pub fn instance_of(
    namespace: &str,
    labels: &Labels,
    is_waypoint: impl FnOnce(&ObjectName) -> bool,
) -> Option<ObjectName> {
    let gateway = ObjectName::new(namespace, labels.get(GATEWAY_NAME)?);
    let made = labels.get(MANAGED).is_some_and(|by| by == MANAGED_WAYPOINT);
    (made || is_waypoint(&gateway)).then_some(gateway)
}

/// What the labels of a pod and its namespace ask for.
fn by_labels(pod: &Labels, namespace: &Labels) -> Enrolment {
    let own = pod.get(DATAPLANE_MODE).map(String::as_str);
    let inherited = namespace.get(DATAPLANE_MODE).map(String::as_str);
    if own == Some(OPT_OUT) {
        Enrolment::OptedOut
    } else if own == Some(AMBIENT) || inherited == Some(AMBIENT) {
        Enrolment::Enrolled
    } else {
        Enrolment::NotLabelled
    }
}

/// The value of the dataplane-mode label that enrols.
const AMBIENT: &str = "ambient";
/// The value of the dataplane-mode label that opts out.
const OPT_OUT: &str = "none";
/// The value of the managed label on what the controller of waypoints makes.
pub(super) const MANAGED_WAYPOINT: &str = "istio.io-mesh-controller";
