//! Whether the client's connections are captured at all.
//!
//! It says why; `select` decided it.

use crate::mesh::{
    label::{DATAPLANE_MODE, GATEWAY_NAME, SIDECAR_STATUS},
    workload::Enrolment,
};

use super::{Case, Step, label, namespace, of_workload};

/// Says whether they are.
pub(super) fn step(case: &Case<'_>) -> Step {
    let client = case.client;
    let pod = of_workload(client);
    let home = namespace(&client.name.namespace);
    let own = client.labels.get(DATAPLANE_MODE).map(String::as_str);
    let by_own = label(DATAPLANE_MODE, own);
    let no = |why: &str| Step::new(TOPIC, format!("{pod} is not captured: {why}"));
    match client.enrolment {
        Enrolment::Enrolled => {
            let step = Step::new(TOPIC, format!("{pod} is enrolled: its connections are captured"));
            match own {
                Some(AMBIENT) => step.by(&pod, by_own),
                _ => step.by(home, label(DATAPLANE_MODE, Some(AMBIENT))),
            }
        }
        Enrolment::NotLabelled => no("neither it nor its namespace is labelled")
            .by(home, label(DATAPLANE_MODE, None))
            .by(&pod, by_own),
        Enrolment::OptedOut => no("it opts out").by(&pod, by_own),
        Enrolment::HostNetwork => {
            no("it shares the node's network").by(&pod, "spec.hostNetwork: true")
        }
        Enrolment::Sidecar => no(
            "it has a sidecar, which carries its connections itself; waypoints for clients with \
                sidecars are not supported",
        )
        .by(&pod, format!("metadata.annotations[{SIDECAR_STATUS}]")),
        Enrolment::ExcludedNamespace => {
            no("its namespace is left out by configuration").by(home, "metadata.name")
        }
        Enrolment::Waypoint => no("it is a waypoint, and what a waypoint opens meets none")
            .by(&pod, label(GATEWAY_NAME, client.labels.get(GATEWAY_NAME).map(String::as_str))),
    }
}

const TOPIC: &str = "client";
/// The label's value that enrols.
const AMBIENT: &str = "ambient";
