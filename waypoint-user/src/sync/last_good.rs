//! What is in force of an object whose newest version was refused.
//!
//! It refuses nothing itself; `admit` does.
//!
//! **Invariant:** a policy that was never understood denies.
//! **Invariant:** a Gateway that is not understood any more stays the waypoint that it was.

use std::sync::Arc;

use gateway_api::experimental::gateways::Gateway;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::mesh::report::Finding;

use super::objects::Object;

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
