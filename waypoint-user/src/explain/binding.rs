//! From the label to the waypoint, and whether that can be used.
//!
//! It repeats no rule: each step shows what `select` looked at, and its word.

use crate::{
    mesh::{
        binding::{Binding, Canary},
        label::{
            CANARY, CANARY_WEIGHT, FOR_SERVICE_ACCOUNT, Labels, USE_WAYPOINT,
            USE_WAYPOINT_NAMESPACE, WAYPOINT_FOR,
        },
        object::{ObjectName, ObjectRef},
        report::Severity,
        waypoint::{AllowedNamespaces, Placement, Waypoint},
    },
    select::{Asked, is_managed_service},
};

use super::{Case, Step, address::Dialled, label, namespace};

/// Label, waypoint, allowed routes, canary; none for what has no labels.
pub(super) fn steps(case: &Case<'_>) -> Vec<Step> {
    let Some((object, labels)) = case.dialled.labelled() else { return Vec::new() };
    let mut steps = Vec::new();
    let asked = case.mesh().asked(&object.name.namespace, labels);
    steps.push(asking(case, &object, labels, asked.as_ref()));
    let Some(Asked { waypoint: Some(name), own }) = asked else { return steps };
    let Some(waypoint) = case.snapshot.waypoints().get(&name) else {
        let gateway = gateway(&name);
        let says = format!("there is no {gateway} that can be a waypoint");
        steps.push(findings(case, &name, Step::new(WAYPOINT, says).by(gateway, "is not there")));
        return steps;
    };
    steps.push(standing(case, waypoint, own));
    steps.push(admitting(case, &object, waypoint));
    if let Dialled::Service { service, .. } = &case.dialled
        && let Some(canary) = &service.canary
    {
        steps.push(second(&object, labels, canary));
    }
    steps
}

/// Whose label asks for which waypoint.
fn asking(case: &Case<'_>, object: &ObjectRef, labels: &Labels, asked: Option<&Asked>) -> Step {
    let home = namespace(&object.name.namespace);
    if object.kind == "Service" && is_managed_service(labels) {
        let says = format!("{object} was made for a waypoint, and no waypoint stands before one");
        return Step::new(LABEL, says).by(object, "metadata.labels[gateway.istio.io/managed]");
    }
    let Some(asked) = asked else {
        if let Some(step) = by_account(case, object) {
            return step;
        }
        let says = format!("nothing asks for a waypoint before {object}");
        let step = Step::new(LABEL, says).by(object, label(USE_WAYPOINT, None));
        return step.by(home, label(USE_WAYPOINT, None));
    };
    let (by, labels) = if asked.own {
        (object.clone(), Some(labels))
    } else {
        (home, case.snapshot.namespaces().get(&object.name.namespace))
    };
    let value = |key: &str| labels.and_then(|labels| labels.get(key)).map(String::as_str);
    let says = match &asked.waypoint {
        Some(waypoint) => format!("{by} asks for waypoint {waypoint}"),
        None => format!("{by} asks for no waypoint"),
    };
    let step = Step::new(LABEL, says).by(&by, label(USE_WAYPOINT, value(USE_WAYPOINT)));
    match value(USE_WAYPOINT_NAMESPACE) {
        Some(home) => step.by(&by, label(USE_WAYPOINT_NAMESPACE, Some(home))),
        None => step,
    }
}

/// The Gateway that stands for the service account of what is dialled, where no label speaks.
fn by_account(case: &Case<'_>, object: &ObjectRef) -> Option<Step> {
    let waypoint = case.snapshot.waypoints().get(case.wanted()?)?;
    let account = waypoint.for_account.as_ref()?;
    let gateway = gateway(&waypoint.name);
    let says = format!("{gateway} stands for service account {account}, which {object} runs under");
    let field = format!("metadata.annotations[{FOR_SERVICE_ACCOUNT}]: {account}");
    let refused = matches!(case.dialled.binding(), Some(Binding::Refused(_)));
    let says = if refused { format!("{says} in part, or it cannot be used") } else { says };
    Some(Step::new(LABEL, says).by(gateway, field).amiss_if(refused))
}

/// Whether the waypoint is ready, and takes such connections.
fn standing(case: &Case<'_>, waypoint: &Waypoint, own: bool) -> Step {
    let gateway = gateway(&waypoint.name);
    let field = match &waypoint.placement {
        Placement::Here => "spec.listeners",
        Placement::Node => "metadata.annotations[waypoint.dev/placement]",
        Placement::Pods(_) => "status.addresses",
    };
    if !waypoint.ready {
        let step = Step::new(WAYPOINT, format!("{gateway} is not ready")).by(&gateway, field);
        return findings(case, &waypoint.name, step);
    }
    let takes = waypoint.takes.as_str();
    let (wanted, taken) = match case.dialled {
        Dialled::Workload { .. } => ("pods", waypoint.takes.takes_workloads()),
        _ => ("Services", waypoint.takes.takes_services()),
    };
    let kind = format!("metadata.labels[{WAYPOINT_FOR}]: {takes}");
    if taken {
        let says = format!("{gateway} is ready and takes connections to {wanted}");
        return Step::new(WAYPOINT, says).by(&gateway, field).by(&gateway, kind);
    }
    let says = format!("{gateway} takes no connections to {wanted}");
    // A namespace's waypoint for Services is no promise to its pods.
    let silent = !own && matches!(case.dialled, Dialled::Workload { .. });
    Step::new(WAYPOINT, says).by(&gateway, kind).amiss_if(!silent)
}

/// Whether the waypoint's listener admits the object's namespace.
fn admitting(case: &Case<'_>, object: &ObjectRef, waypoint: &Waypoint) -> Step {
    let home = &object.name.namespace;
    let labels = case.snapshot.namespaces().get(home).cloned().unwrap_or_default();
    let allowed = waypoint.allowed.allow(&waypoint.name.namespace, home, &labels);
    let from = match &waypoint.allowed {
        AllowedNamespaces::Same => "Same",
        AllowedNamespaces::All => "All",
        AllowedNamespaces::Selector(_) => "Selector",
    };
    let gateway = gateway(&waypoint.name);
    let verb = if allowed { "admits" } else { "does not admit" };
    Step::new("allowed", format!("{gateway} {verb} objects of namespace {home}"))
        .by(&gateway, format!("spec.listeners[].allowedRoutes.namespaces.from: {from}"))
        .amiss_if(!allowed)
}

/// The share of a second waypoint.
fn second(object: &ObjectRef, labels: &Labels, canary: &Canary) -> Step {
    let own = labels.contains_key(CANARY) || labels.contains_key(USE_WAYPOINT);
    let by = if own { object.clone() } else { namespace(&object.name.namespace) };
    let Canary { waypoint, weight } = canary;
    let says = format!("{weight} of 100 connections go to waypoint {waypoint} instead");
    Step::new("canary", says)
        .by(&by, label(CANARY, Some(&waypoint.name)))
        .by(&by, format!("metadata.annotations[{CANARY_WEIGHT}]: {weight}"))
}

/// The step with what there is to say of a Gateway that cannot be used.
fn findings(case: &Case<'_>, name: &ObjectName, step: Step) -> Step {
    let gateway = gateway(name);
    let of_gateway = case
        .report
        .iter()
        .filter(|(object, finding)| **object == gateway && finding.severity != Severity::Accepted);
    let said: Vec<_> = of_gateway.map(|(_, finding)| finding.message.as_str()).collect();
    let says =
        if said.is_empty() { step.says } else { format!("{}: {}", step.says, said.join("; ")) };
    Step { says, amiss: true, ..step }
}

/// Whether a binding was refused.
pub(super) const fn is_refused(binding: Option<&Binding>) -> bool {
    matches!(binding, Some(Binding::Refused(_)))
}

fn gateway(name: &ObjectName) -> ObjectRef {
    ObjectRef::new("Gateway", name.clone())
}

const LABEL: &str = "label";
const WAYPOINT: &str = "waypoint";
