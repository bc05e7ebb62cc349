//! Where the connection goes, in a sentence, and what the fail mode has to do with it.
//!
//! `select::outbound` has the last word, as it has in the agent.

use std::sync::Arc;

use crate::{
    mesh::{
        binding::FailMode,
        label::FAIL_MODE,
        object::{ObjectName, ObjectRef},
        waypoint::{Placement, Waypoint},
        workload::{AdmissionMode, Enrolment, Workload},
    },
    select::{Choice, Direct, Outbound, Reached, RefusedBy, choose, outbound},
};

use super::{
    Case, Path, Step, address::Dialled, binding::is_refused, of_service, outside::Outside,
};

impl<'s> Case<'s> {
    /// The waypoint that takes this very connection, unless chance or its absence decide otherwise.
    pub(super) fn taken_by(&self) -> Option<&'s ObjectName> {
        self.dialled.address()?;
        let captured = self.client.enrolment == Enrolment::Enrolled;
        let taken = captured && self.client.instance_of.is_none() && !self.dialled.is_undeclared();
        self.waypoint().filter(|_| taken)
    }

    /// The pods at which it may end.
    pub(super) fn destinations(&self) -> Vec<&'s Arc<Workload>> {
        let workloads = self.snapshot.workloads();
        match &self.dialled {
            Dialled::Service { service, .. } => {
                let ready = service.endpoints.iter().filter(|endpoint| endpoint.ready);
                ready.filter_map(|one| workloads.get(one.workload.as_ref()?)).collect()
            }
            Dialled::Workload { workload, .. } => vec![workload],
            Dialled::Outside(_) | Dialled::Nobody(_) => Vec::new(),
        }
    }

    fn outbound(&self) -> Option<Outbound<'s>> {
        // The highest throw, so that a second waypoint counts only if it takes everything.
        let mut dice = |sides: u32| sides.saturating_sub(1);
        Some(outbound(self.snapshot, self.dialled.address()?, self.client, &mut dice))
    }
}

/// What is done about a waypoint that is not there; nothing where it is.
pub(super) fn fail_mode(case: &Case<'_>) -> Option<Step> {
    let refused = is_refused(case.dialled.binding());
    let deserted = matches!(case.outbound()?, Outbound::Refuse(RefusedBy::NoInstance(_)));
    let (mode, object) = match &case.dialled {
        Dialled::Service { service, .. } => (service.fail_mode, &service.name),
        Dialled::Workload { workload, .. } => (workload.fail_mode, &workload.name),
        Dialled::Outside(_) | Dialled::Nobody(_) => return None,
    };
    let closed = mode == FailMode::Closed;
    if !(refused || deserted || closed) {
        return None;
    }
    let says = match mode {
        FailMode::Unset => {
            "not set: direct where the waypoint cannot be used, refused where it has no ready pod"
        }
        FailMode::Open => "open: direct while the waypoint is not there",
        FailMode::Closed => "closed: refused while the waypoint is not there",
    };
    let of = format!("{object}, its Namespace or the Gateway");
    Some(Step::new("fail mode", says).by(of, format!("metadata.annotations[{FAIL_MODE}]")))
}

/// Where it goes, and all of it in a sentence.
pub(super) fn of(case: &Case<'_>) -> (Path, String) {
    let who = format!("Connections of {}", case.client.name);
    let Some(outbound) = case.outbound() else {
        let why = case.dialled.outside().map(Outside::why).unwrap_or_default();
        return (Path::Direct, format!("{who} leave the mesh without a waypoint: {why}."));
    };
    if case.dialled.is_undeclared() {
        return (Path::Refused, format!("{who} lead nowhere: the Service has no such port."));
    }
    match outbound {
        Outbound::Waypoint { waypoint, .. } => {
            (Path::Waypoint, format!("{who} {}.", through(case, waypoint)))
        }
        Outbound::Tunnel(reached) => {
            let to = destination(&reached);
            let says = format!("go by HBONE to {to} itself, without a waypoint: {}", why(case));
            (Path::Direct, format!("{who} {says}."))
        }
        Outbound::Plain(reached) => plain(case, &who, &reached),
        Outbound::Refuse(by) => {
            (Path::Refused, format!("{who} are refused: {}.", refusal(case, &by)))
        }
    }
}

/// How a waypoint takes it.
fn through(case: &Case<'_>, waypoint: &Waypoint) -> String {
    let address = case.dialled.address().map(|one| one.to_string()).unwrap_or_default();
    let way = match waypoint.placement {
        Placement::Pods(_) => format!("go by HBONE, for {address}, to waypoint {}", waypoint.name),
        Placement::Here | Placement::Node => {
            format!("to {address} go through waypoint {}, in their node's agent", waypoint.name)
        }
    };
    match &case.dialled {
        Dialled::Service { service, .. } => match &service.canary {
            Some(canary) if canary.weight > 0 && canary.waypoint != waypoint.name => {
                format!("{way}, and {} of 100 to {}", canary.weight, canary.waypoint)
            }
            _ => way,
        },
        _ => way,
    }
}

/// Straight to where it ends, which may refuse that.
fn plain(case: &Case<'_>, who: &str, reached: &Reached<'_>) -> (Path, String) {
    let (to, why) = (destination(reached), why(case));
    let refusing = case.destinations().into_iter().find_map(|pod| {
        let enrolled = pod.enrolment == Enrolment::Enrolled;
        enrolled.then(|| refused_at(case, pod, reached.address.port())).flatten()
    });
    match refusing {
        Some(because) => (
            Path::Refused,
            format!("{who} go directly to {to} ({why}) and are refused: {because}."),
        ),
        None => (Path::Direct, format!("{who} go directly to {to}, without a waypoint: {why}.")),
    }
}

/// Why a pod refuses what comes in plain TCP and past its waypoints.
fn refused_at(case: &Case<'_>, pod: &Workload, port: u16) -> Option<String> {
    let admission = &pod.admission;
    if admission.mutual_tls {
        return Some(format!("Pod {} asks for mutual TLS", pod.name));
    }
    let known = case.client.addresses.iter().any(|one| admission.sources.contains(one));
    let strict = admission.mode == AdmissionMode::Strict;
    let refused = strict && !known && !admission.exempt_ports.contains(&port);
    refused.then(|| format!("Pod {} admits only its waypoints (waypoint.dev/admission)", pod.name))
}

/// Where it ends.
fn destination(reached: &Reached<'_>) -> String {
    match (reached.service, reached.workload) {
        (Some(service), _) => format!("an endpoint of {}", of_service(service)),
        (None, Some(workload)) => format!("Pod {} at {}", workload.name, reached.address),
        (None, None) => reached.address.to_string(),
    }
}

/// Why no waypoint takes it.
fn why(case: &Case<'_>) -> String {
    let Some(address) = case.dialled.address() else { return String::new() };
    match choose(case.snapshot, address, Some(case.client)) {
        Choice::Direct(Direct::FromWaypoint) => "the client is a waypoint itself".to_owned(),
        Choice::Direct(Direct::NotCaptured(_)) => "the client is not captured".to_owned(),
        Choice::Direct(Direct::UnknownAddress) => "nothing in the mesh has that address".to_owned(),
        Choice::Direct(Direct::NoWaypoint(_)) => match case.asked() {
            Some(waypoint) => format!("waypoint {waypoint} takes no connections to pods"),
            None => "no waypoint is asked for".to_owned(),
        },
        Choice::Direct(Direct::Refused(refusal)) | Choice::Refuse(refusal) => refusal.message(),
        Choice::Waypoint { waypoint, .. } => {
            format!("waypoint {waypoint} has no ready pod, and the fail mode is open")
        }
    }
}

fn refusal(case: &Case<'_>, by: &RefusedBy<'_>) -> String {
    match by {
        RefusedBy::Unusable(refusal) => {
            format!("{}, and the fail mode is closed", refusal.message())
        }
        RefusedBy::NoInstance(waypoint) => format!("waypoint {waypoint} has no ready pod"),
        RefusedBy::NoEndpoint(service) => {
            let of = case.snapshot.services().get(*service).map(|service| of_service(service));
            let of = of.unwrap_or_else(|| ObjectRef::new("Service", (*service).clone()));
            format!("{of} has no ready endpoint for that port")
        }
    }
}
