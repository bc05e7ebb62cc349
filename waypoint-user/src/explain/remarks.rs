//! What the Report has to say of the objects that decided something.
//!
//! What a step says already is not said again.

use crate::mesh::report::Severity;

use super::{Case, Step};

/// Warnings and errors about objects that the steps name.
pub(super) fn steps(case: &Case<'_>, steps: &[Step]) -> Vec<Step> {
    let named = |object: &str| {
        steps.iter().flat_map(|step| &step.decided_by).any(|decider| decider.object == object)
    };
    let told = |message: &str| steps.iter().any(|step| step.says.contains(message));
    let mut remarks = Vec::new();
    for (object, finding) in case.report.iter() {
        let name = object.to_string();
        let grave = finding.severity >= Severity::Warning && !told(&finding.message);
        if grave && named(&name) && !is_binding(&finding.reason) {
            let says = format!("{}: {}", finding.reason, finding.message);
            let amiss = finding.severity == Severity::Error;
            remarks.push(Step::new("remark", says).by(name, "").amiss_if(amiss));
        }
    }
    remarks
}

/// Whether a finding is of what the steps about the binding say already.
fn is_binding(reason: &str) -> bool {
    ["WaypointIsNotReady", "AttachmentDenied", "UnsupportedTrafficType"].contains(&reason)
}
