//! What objects say of themselves now, as far as it is ours to say.
//!
//! It reads what the source has, which may be a moment old.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::Value;

use crate::sync::objects::Policy;

use super::{entry::Entry, kind::Kind, merge};

/// Ours of a list of conditions or of parents.
pub(super) fn of(kind: Kind, status: Option<&impl Serialize>) -> Vec<Entry> {
    let status = status.and_then(|status| serde_json::to_value(status).ok()).unwrap_or_default();
    of_status(kind, &status)
}

/// The same, of a status as it is on the wire.
pub(super) fn of_status(kind: Kind, status: &Value) -> Vec<Entry> {
    of_list(kind, status.get(kind.list()).unwrap_or(&Value::Null))
}

/// The same, of the list in it that is ours and others'.
pub(super) fn of_list(kind: Kind, list: &Value) -> Vec<Entry> {
    match kind.types() {
        Some(types) => merge::ours(list, types),
        None => merge::of_parents(list, kind.reference()),
    }
}

/// A policy's own part, and what it says; of one that is not understood nobody knows.
pub(super) fn of_policy(policy: &Policy) -> Option<(&ObjectMeta, Vec<Entry>)> {
    match policy {
        Policy::Read(policy) => {
            let entries = of(Kind::AuthorizationPolicy, policy.status.as_ref());
            Some((&policy.metadata, entries))
        }
        Policy::Unread(_) => None,
    }
}
