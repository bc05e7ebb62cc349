//! Which objects of a kind are read by one watch.
//!
//! It reads nothing.

use std::{cmp::Ordering, fmt};

use kube::core::{
    Request,
    params::{ListParams, WatchParams},
};

use super::kinds::{KINDS, Kind};

/// Some or all objects of a kind.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) kind: &'static Kind,
    /// Only those of this namespace.
    pub(super) namespace: Option<String>,
    /// Only those whose labels are so.
    pub(super) labels: Option<String>,
    /// Only those whose fields are so, besides what holds for the kind.
    pub(super) fields: Option<String>,
}

impl Selection {
    /// Every object of a kind.
    pub(super) fn all(kind: &'static Kind) -> Self {
        Self { kind, namespace: None, labels: None, fields: None }
    }

    /// Every object of the kind of this name.
    pub(super) fn all_of(kind: &str) -> Option<Self> {
        KINDS.iter().find(|one| one.name == kind).map(Self::all)
    }

    /// Whether no object of the kind is left out.
    pub(super) fn is_whole(&self) -> bool {
        self.namespace.is_none() && self.labels.is_none() && self.fields.is_none()
    }

    /// Where the objects are asked for.
    pub(super) fn request(&self, version: &str) -> Request {
        let Kind { group, plural, .. } = self.kind;
        let root = if group.is_empty() {
            format!("/api/{version}")
        } else {
            format!("/apis/{group}/{version}")
        };
        Request::new(match &self.namespace {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{plural}"),
            None => format!("{root}/{plural}"),
        })
    }

    /// How a page of them is asked for.
    pub(super) fn list_params(&self, limit: u32, next: Option<String>) -> ListParams {
        ListParams {
            label_selector: self.labels.clone(),
            field_selector: self.field_selector(),
            limit: Some(limit),
            continue_token: next,
            ..ListParams::default()
        }
    }

    /// How changes of them are asked for.
    pub(super) fn watch_params(&self, seconds: u32, is_first: bool) -> WatchParams {
        WatchParams {
            label_selector: self.labels.clone(),
            field_selector: self.field_selector(),
            timeout: Some(seconds),
            bookmarks: true,
            send_initial_events: is_first,
        }
    }

    fn field_selector(&self) -> Option<String> {
        let own = self.fields.as_deref().unwrap_or_default();
        match (self.kind.fields, own) {
            ("", "") => None,
            ("", one) | (one, "") => Some(one.to_owned()),
            (both, own) => Some(format!("{both},{own}")),
        }
    }

    /// What tells selections apart.
    fn key(&self) -> (&str, Option<&str>, Option<&str>, Option<&str>) {
        let (namespace, labels) = (self.namespace.as_deref(), self.labels.as_deref());
        (self.kind.name, namespace, labels, self.fields.as_deref())
    }
}

impl Ord for Selection {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Selection {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Selection {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Selection {}

/// As findings name it.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind.title())?;
        if let Some(namespace) = &self.namespace {
            write!(f, " of namespace {namespace}")?;
        }
        for selector in [&self.labels, &self.fields].into_iter().flatten() {
            write!(f, " with {selector}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
