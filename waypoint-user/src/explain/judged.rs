//! Which policies judge the connection, in order: none at the client, then the waypoint's, then
//! those of the pods that it may end at.
//!
//! It judges nothing: what is asked over the connection is not known here.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use crate::{
    mesh::{
        object::{ObjectName, ObjectRef},
        policy::{Action, AuthorizationPolicy, PolicyTarget},
        request::Peer,
        spiffe::SpiffeId,
        workload::{Enrolment, Workload},
    },
    policy::{Attached, Policies, never_matches},
};

use super::{Case, Step, address::Dialled, counted};

/// The waypoint's policies, then the pods'.
pub(super) fn steps(case: &Case<'_>) -> Vec<Step> {
    let mut steps = match case.taken_by() {
        Some(waypoint) => at_waypoint(case, waypoint),
        None => unheard(case),
    };
    steps.extend(at_pods(case));
    steps
}

/// The policies that a waypoint judges by.
fn at_waypoint(case: &Case<'_>, waypoint: &ObjectName) -> Vec<Step> {
    let attached = match &case.dialled {
        Dialled::Service { service, .. } => Policies::of_service(case.snapshot, waypoint, service),
        Dialled::Workload { workload, .. } => Policies::of_workload(case.snapshot, workload),
        Dialled::Outside(_) | Dialled::Nobody(_) => Vec::new(),
    };
    if attached.is_empty() {
        return vec![Step::new(TOPIC, format!("none judges it at waypoint {waypoint}"))];
    }
    let step = |Attached { policy, target }: &Attached| {
        let verb = if policy.dry_run { "runs dry" } else { "judges it" };
        Step::new(TOPIC, format!("{} {verb} at waypoint {waypoint}", named(policy)))
            .by(object(policy), field(target))
    };
    attached.iter().map(step).collect()
}

/// Policies for the Service that nobody judges by, as no waypoint takes the connection.
fn unheard(case: &Case<'_>) -> Vec<Step> {
    let Dialled::Service { service, .. } = &case.dialled else { return Vec::new() };
    let target = service.policy_target();
    let step = |policy: &Arc<AuthorizationPolicy>| {
        let says = format!("{} does not judge it: it passes no waypoint", named(policy));
        Step::new(TOPIC, says).by(object(policy), field(&target)).amiss_if(true)
    };
    case.snapshot.policies_of(&target).iter().map(step).collect()
}

/// The policies that are judged where the connection may end, each once.
fn at_pods(case: &Case<'_>) -> Vec<Step> {
    let pods = case.destinations();
    let mut found: BTreeMap<ObjectName, (Attached, usize)> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| pod.enrolment == Enrolment::Enrolled) {
        for attached in Policies::of_destination(case.snapshot, pod) {
            let name = attached.policy.name.clone();
            found.entry(name).or_insert_with(|| (attached, 0)).1 += 1;
        }
    }
    let mut steps: Vec<_> = mutual_tls(case, &pods).into_iter().collect();
    for (Attached { policy, target }, count) in found.into_values() {
        let whole = if count == pods.len() {
            String::new()
        } else {
            format!(" ({count} of {})", counted(pods.len(), "pod"))
        };
        let verb = if policy.dry_run { "runs dry" } else { "judges it" };
        let says = format!("{} {verb} where it ends{whole}", named(&policy));
        let step = Step::new(TOPIC, says).by(object(&policy), field(&target));
        steps.push(blinded(case, &policy, step));
    }
    steps
}

/// The step of a policy for pods; it is in vain if the waypoint hides whom it is about.
fn blinded(case: &Case<'_>, policy: &AuthorizationPolicy, step: Step) -> Step {
    let Some(waypoint) = case.taken_by() else { return step };
    let peers = peers(case, waypoint);
    if !peers.iter().all(|peer| never_matches(policy, peer)) {
        return step;
    }
    let effect = match policy.action {
        Action::Allow => "permits nothing of it",
        Action::Deny => "denies nothing of it",
    };
    let says = format!(
        "{}, but {effect}: it comes in the name of waypoint {waypoint}, which no rule matches",
        step.says
    );
    Step { says, amiss: true, ..step }
}

/// As whom the pods of a waypoint open connections.
fn peers(case: &Case<'_>, waypoint: &ObjectName) -> Vec<Peer> {
    let of = |identity: &Arc<SpiffeId>, address: IpAddr| Peer {
        identity: Some(Arc::clone(identity)),
        ..Peer::unknown(SocketAddr::new(address, 0))
    };
    let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let pods = case.snapshot.instances_of(waypoint);
    let peers: Vec<_> = pods
        .iter()
        .map(|pod| of(&pod.identity, pod.addresses.first().copied().unwrap_or(nowhere)))
        .collect();
    if !peers.is_empty() {
        return peers;
    }
    // Its controller gives a waypoint an account of its own name.
    let domain = &case.snapshot.settings().trust_domain;
    let identity = SpiffeId::new(domain, &waypoint.namespace, &waypoint.name);
    vec![of(&Arc::new(identity), nowhere)]
}

/// Whether the pods take it without proof of who asks.
fn mutual_tls(case: &Case<'_>, pods: &[&Arc<Workload>]) -> Option<Step> {
    let strict = pods.iter().find(|pod| pod.admission.mutual_tls)?;
    let object = ObjectRef::new("Namespace", ObjectName::cluster(&strict.name.namespace));
    let plain = case.taken_by().is_none();
    let says = if plain {
        format!("Pod {} refuses it: it asks for mutual TLS, and this is plain TCP", strict.name)
    } else {
        format!("Pod {} asks for mutual TLS, which the waypoint brings", strict.name)
    };
    Some(Step::new(TOPIC, says).by(object, "PeerAuthentication: STRICT").amiss_if(plain))
}

/// What a target is called in the policy.
fn field(target: &PolicyTarget) -> String {
    match target {
        PolicyTarget::Service(name) => format!("spec.targetRefs: Service {}", name.name),
        PolicyTarget::ServiceEntry(name) => format!("spec.targetRefs: ServiceEntry {}", name.name),
        PolicyTarget::Gateway(name) => format!("spec.targetRefs: Gateway {}", name.name),
        PolicyTarget::GatewayClass(name) => format!("spec.targetRefs: GatewayClass {name}"),
        PolicyTarget::Namespace(_) => "spec.targetRefs, which cannot be read".to_owned(),
        PolicyTarget::Pods(selector) if selector.requirements.is_empty() => {
            "no spec.selector".to_owned()
        }
        PolicyTarget::Pods(_) => "spec.selector".to_owned(),
    }
}

/// Action and name.
fn named(policy: &AuthorizationPolicy) -> String {
    let action = match policy.action {
        Action::Allow => "ALLOW",
        Action::Deny => "DENY",
    };
    format!("{action} {}", policy.name)
}

fn object(policy: &AuthorizationPolicy) -> ObjectRef {
    ObjectRef::new("AuthorizationPolicy", policy.name.clone())
}

const TOPIC: &str = "policy";
