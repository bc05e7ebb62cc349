//! What is in force of an object whose newest version was refused.
//!
//! What can be told from one document, `admit` refuses; what only the version before tells is
//! refused here.
//!
//! **Invariant:** a policy that was never understood denies.
//! **Invariant:** a Gateway that is not understood any more stays the waypoint that it was.

use std::sync::Arc;

use gateway_api::experimental::gateways::Gateway;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::mesh::{label::INBOUND_BINDING, report::Finding};

use super::{
    admit::Admission,
    finding::error,
    objects::Object,
    translate::check::{LISTENERS_NOT_VALID, NO_LISTENER, is_tunnel},
};

/// What becomes of a document whose object was this before. A Gateway that takes no tunnels any
/// more would be a waypoint that is never ready, and what is bound to it would be served without
/// its policies; whoever wants that deletes it, or gives it another class.
pub(super) fn compare(admission: Admission, last: Option<&Object>) -> Admission {
    match admission {
        Admission::Object(object, Object::Gateway(now))
            if last.is_some_and(|last| lost(last, &now)) =>
        {
            let finding = error(LISTENERS_NOT_VALID, NO_LISTENER);
            Admission::Refused { object, finding, instead: Some(Object::Gateway(now)) }
        }
        other => other,
    }
}

/// Whether a Gateway took tunnels and does so no more: it has no listener for them, or not that one
/// alone any more, and does not say itself that it is bound in another way.
fn lost(last: &Object, now: &Gateway) -> bool {
    let Object::Gateway(good) = last else { return false };
    let takes = |gateway: &Gateway| gateway.spec.listeners.iter().any(is_tunnel);
    let is_plain = |gateway: &Gateway| gateway.spec.listeners.len() == 1 && takes(gateway);
    let is_bound = now.metadata.annotations.as_ref();
    let is_bound = is_bound.is_some_and(|all| all.contains_key(INBOUND_BINDING));
    let is_other = is_plain(good) && !is_plain(now) && !is_bound;
    last.is_read()
        && good.spec.gateway_class_name == now.spec.gateway_class_name
        && takes(good)
        && (!takes(now) || is_other)
}

/// The object that stays in force, if any, and the finding completed by what that is. `last` is
/// the version of before, `instead` what stands in for an object that has no good version.
pub(super) fn keep(
    mut finding: Finding,
    instead: Option<Object>,
    last: Option<Object>,
) -> (Option<Object>, Finding) {
    let good = last.filter(Object::is_read);
    finding.message.push_str(match (&good, &instead) {
        (Some(_), _) => "; its last good version stays in force",
        // Its waypoint is there, and never ready.
        (None, Some(Object::Gateway(_))) => "",
        (None, Some(Object::PeerAuthentication(_))) => "; it counts as STRICT",
        (None, None | Some(Object::UnreadTrafficPolicy(_))) => "; it is left out",
        (None, Some(_)) => "; it denies everything to its targets",
    });
    let kept = match (good, instead) {
        (Some(Object::Gateway(good)), Some(Object::Gateway(now))) => {
            Some(Object::Gateway(Arc::new(still(&good, &now))))
        }
        (good, instead) => good.or(instead),
    };
    (kept, finding)
}

/// A Gateway as it was, with who it is now and the status that it has, as what is to be written to
/// it goes by these.
fn still(good: &Gateway, now: &Gateway) -> Gateway {
    let (labels, annotations) = (good.metadata.labels.clone(), good.metadata.annotations.clone());
    let metadata = ObjectMeta { labels, annotations, ..now.metadata.clone() };
    Gateway { metadata, spec: good.spec.clone(), status: now.status.clone() }
}
