//! What the kernel of the client's node is told of the destination.
//!
//! What it holds, only the node itself can say.

use crate::{
    mesh::workload::Enrolment,
    select::{Capture, captures_service, captures_workload},
};

use super::{Case, Step, address::Dialled};

/// Whether new connections to the destination are captured.
pub(super) fn step(case: &Case<'_>) -> Step {
    let (capture, closed) = match &case.dialled {
        Dialled::Service { service, .. } if case.dialled.is_undeclared() => {
            let says = format!("left alone: only declared ports of {} are captured", service.name);
            return Step::new(TOPIC, says);
        }
        Dialled::Service { service, .. } => {
            (captures_service(case.snapshot, service), service.fail_closed)
        }
        Dialled::Workload { workload, .. } => {
            (captures_workload(case.snapshot, workload), workload.fail_closed)
        }
        Dialled::Outside(_) | Dialled::Nobody(_) => (Capture::No, false),
    };
    let dead = if closed { "refused" } else { "let through" };
    let says = match capture {
        Capture::No => "left alone in the kernel".to_owned(),
        Capture::Yes(Some(waypoint)) => {
            format!("captured for waypoint {waypoint}; {dead} while no agent serves the node")
        }
        Capture::Yes(None) => {
            format!("captured for a tunnel to the pod; {dead} while no agent serves the node")
        }
        Capture::Refuse(refusal) => {
            format!("refused in the kernel: waypoint {} cannot be used", refusal.waypoint)
        }
    };
    let others = case.client.enrolment != Enrolment::Enrolled && !matches!(capture, Capture::No);
    let says = if others { format!("{says}; but this client is not enrolled") } else { says };
    Step::new(TOPIC, says)
}

const TOPIC: &str = "capture";
