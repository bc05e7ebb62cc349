//! Who would take the connection: the waypoint's pods and the Service's endpoints.
//!
//! It chooses none of them.

use std::sync::Arc;

use crate::mesh::{
    external::Resolution,
    object::{ObjectName, ObjectRef},
    service::Service,
    waypoint::Placement,
    workload::Workload,
};

use super::{Case, Step, address::Dialled, counted, of_service, of_workload};

/// The waypoints' pods, then the Service's endpoints.
pub(super) fn steps(case: &Case<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    steps.extend(case.waypoint().map(|waypoint| instances(case, waypoint)));
    let Dialled::Service { service, .. } = &case.dialled else { return steps };
    if let Some(canary) = service.canary.as_ref().filter(|canary| canary.weight > 0) {
        steps.push(instances(case, &canary.waypoint));
    }
    steps.push(endpoints(service));
    steps.extend(transit(case, service));
    steps
}

/// The pods of a waypoint that are ready.
fn instances(case: &Case<'_>, name: &ObjectName) -> Step {
    let gateway = ObjectRef::new("Gateway", name.clone());
    let placement = case.snapshot.waypoints().get(name).map(|waypoint| &waypoint.placement);
    let pods = case.snapshot.instances_of(name);
    match placement {
        Some(Placement::Pods(addresses)) if pods.is_empty() && !addresses.is_empty() => {
            let addresses = addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
            let says =
                format!("waypoint {name} is at {}, in no pod known here", addresses.join(", "));
            Step::new("instances", says).by(gateway, "status.addresses")
        }
        Some(Placement::Pods(_)) => {
            let ready: Vec<_> = pods.iter().filter(|pod| pod.ready).collect();
            let names = ready.iter().map(|pod| at(pod)).collect::<Vec<_>>().join(", ");
            let colon = if names.is_empty() { "" } else { ": " };
            let all = counted(pods.len(), "pod");
            let says = format!("{} of {all} of waypoint {name} ready{colon}{names}", ready.len());
            let step = Step::new("instances", says).amiss_if(ready.is_empty());
            step.by(gateway, "status.conditions[Ready] of its pods")
        }
        placement => {
            let says = format!("waypoint {name} is served on the client's own node");
            let step = Step::new("instances", says);
            let said = matches!(placement, Some(Placement::Node));
            if said {
                step.by(gateway, "metadata.annotations[waypoint.dev/placement]")
            } else {
                step
            }
        }
    }
}

/// The endpoints of a Service that are ready.
fn endpoints(service: &Service) -> Step {
    let ready = service.endpoints.iter().filter(|endpoint| endpoint.ready).count();
    let object = of_service(service);
    let all = counted(service.endpoints.len(), "endpoint");
    let listed = format!("{ready} of {all} of {object} ready");
    let field = match service.external {
        Some(_) => "spec.endpoints, spec.workloadSelector",
        None => "spec.selector, EndpointSlices",
    };
    match service.resolution() {
        Resolution::Listed => Step::new(ENDPOINTS, listed).by(object, field).amiss_if(ready == 0),
        Resolution::Names(names) => {
            let hosts: Vec<_> = names.iter().map(|name| name.host.as_str()).collect();
            let looked_up = format!("what DNS says of {} when it is dialled", hosts.join(", "));
            let says = match service.endpoints.len() {
                0 => looked_up,
                _ => format!("{listed}, and {looked_up}"),
            };
            Step::new(ENDPOINTS, says).by(object, "spec.resolution: DNS")
        }
        Resolution::Original => {
            Step::new(ENDPOINTS, "the address that is dialled").by(object, "spec.resolution: NONE")
        }
    }
}

/// The endpoints' own waypoints, which are passed by.
fn transit(case: &Case<'_>, service: &Service) -> Option<Step> {
    let workload = |name: &ObjectName| case.snapshot.workloads().get(name);
    let pods = service.endpoints.iter().filter_map(|one| one.workload.as_ref().and_then(workload));
    let bound: Option<&Arc<Workload>> =
        pods.into_iter().find(|pod| pod.binding.waypoint().is_some());
    let pod = bound?;
    let waypoint = pod.binding.waypoint()?;
    let object = of_workload(pod);
    let says = format!(
        "waypoint {waypoint} of {object} is passed by: it takes only what is addressed to the pod"
    );
    Some(Step::new("transit", says).by(object, "metadata.labels[istio.io/use-waypoint]"))
}

/// A pod and where it is.
fn at(pod: &Workload) -> String {
    let address = pod.addresses.first().map(ToString::to_string).unwrap_or_default();
    match pod.node.as_str() {
        "" => format!("{} at {address}", pod.name),
        node => format!("{} at {address} on {node}", pod.name),
    }
}

const ENDPOINTS: &str = "endpoints";
