//! What is in force of an object whose newest version was refused.
//!
//! It refuses nothing itself; `admit` does.
//!
//! **Invariant:** a policy that was never understood denies.

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
        (None, Some(Object::PeerAuthentication(_))) => "; it counts as STRICT",
        (None, None | Some(Object::UnreadTrafficPolicy(_))) => "; it is left out",
        (None, Some(_)) => "; it denies everything to its targets",
    });
    (good.or(instead), finding)
}
