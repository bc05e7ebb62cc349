//! What there is to say of a route to each of its parents.
//!
//! It decides nothing: attachment is `route_parents`'s, and what is wrong with a rule was found in
//! it. Whether a route is in force in its waypoints is not known here.

use crate::mesh::{
    condition::{ACCEPTED, Condition, Parent, RESOLVED_REFS, RESOLVED_WAYPOINTS},
    object::ObjectRef,
    report::Report,
};

use super::route_parents::{Attachment, Missing, Refused};

/// What is wrong with the rules of a route, as its parents are told: the first of each kind.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// A filter that cannot be followed.
    filter: Option<Refused>,
    /// A backend that cannot be used.
    reference: Option<Refused>,
}

impl Faults {
    /// Adds one.
    pub(super) fn add(&mut self, reason: &'static str, message: &str) {
        let place = if reason == INVALID_FILTER { &mut self.filter } else { &mut self.reference };
        place.get_or_insert_with(|| (reason, message.to_owned()));
    }
}

/// Tells each parent that is ours to answer for.
pub(super) fn set(
    object: &ObjectRef,
    attachments: &[Attachment],
    faults: &Faults,
    report: &mut Report,
) {
    for attachment in attachments.iter().filter(|one| one.is_ours) {
        for condition in of_parent(&attachment.about, attachment, faults) {
            report.set(object.clone(), condition);
        }
    }
}

fn of_parent(about: &Parent, attachment: &Attachment, faults: &Faults) -> [Condition; 3] {
    let accepted = match (&attachment.parents, &faults.filter) {
        (Err(refused), _) | (Ok(_), Some(refused)) => Err(refused),
        (Ok(_), None) => Ok(("Accepted", "Route was valid")),
    };
    let references = match &faults.reference {
        Some(refused) => Err(refused),
        None => Ok((RESOLVED_REFS, "All references resolved")),
    };
    let waypoints = match &attachment.missing {
        None => Condition::new(RESOLVED_WAYPOINTS, true, RESOLVED_WAYPOINTS, ALL_RESOLVED),
        Some(missing) => {
            Condition::new(RESOLVED_WAYPOINTS, false, missing.reason(), missing.message())
        }
    };
    [judged(ACCEPTED, accepted), judged(RESOLVED_REFS, references), waypoints]
        .map(|condition| condition.of(about))
}

fn judged(kind: &'static str, outcome: Result<(&str, &str), &Refused>) -> Condition {
    match outcome {
        Ok((reason, message)) => Condition::new(kind, true, reason, message),
        Err((reason, message)) => Condition::new(kind, false, *reason, message),
    }
}

impl Missing {
    fn reason(&self) -> &str {
        match self {
            Self::Parent => "NoMatchingParent",
            Self::Label => "MissingUseWaypointLabel",
            Self::Refused(refusal) => refusal.reason.as_str(),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Parent => "parent not found".to_owned(),
            Self::Label => MISSING_LABEL.to_owned(),
            Self::Refused(refusal) => refusal.message(),
        }
    }
}

/// The reason of filters that cannot be followed; it bears on the route and not on what it refers
/// to.
pub(super) const INVALID_FILTER: &str = "InvalidFilter";

const ALL_RESOLVED: &str = "All waypoints resolved";
const MISSING_LABEL: &str = "istio.io/use-waypoint label missing from parent and parent \
                             namespace; in ambient mode, route will not be respected";
