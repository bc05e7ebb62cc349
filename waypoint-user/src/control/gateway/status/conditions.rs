//! Conditions: kept as they are until what they say changes.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

/// What a condition says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Truth {
    kind: &'static str,
    status: bool,
    reason: String,
    message: String,
}

impl Truth {
    /// It is so.
    pub(super) fn yes(kind: &'static str, reason: &str, message: &str) -> Self {
        Self { kind, status: true, reason: reason.to_owned(), message: message.to_owned() }
    }

    /// It is not so.
    pub(super) fn no(kind: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self { kind, status: false, reason: reason.to_owned(), message: message.into() }
    }
}

/// Conditions that say this; the time of those whose status was the same `before` stays.
pub(super) fn conditions(
    truths: &[Truth],
    before: &[Condition],
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let condition = |truth: &Truth| {
        let status = if truth.status { "True" } else { "False" };
        let same = before.iter().find(|one| one.type_ == truth.kind && one.status == status);
        let now = || Time(Timestamp::from_second(now.as_second()).unwrap_or(now));
        Condition {
            last_transition_time: same.map_or_else(now, |one| one.last_transition_time.clone()),
            message: truth.message.clone(),
            observed_generation: generation,
            reason: truth.reason.clone(),
            status: status.to_owned(),
            type_: truth.kind.to_owned(),
        }
    };
    truths.iter().map(condition).collect()
}

/// Whether all these conditions are among those that are there.
pub(super) fn are_among(wanted: &[Condition], there: &[Condition]) -> bool {
    wanted.iter().all(|one| there.contains(one))
}
