//! What is kept of an object before it is typed: what translation looks at, and no more.
//!
//! A cluster has many pods, and most of what each says is of its containers. What is thrown away
//! is gone for everybody who reads `Objects`: a field that translation begins to look at is added
//! here.
//!
//! **Invariant:** what is kept is kept as it is; nothing is added.

use serde_json::{Map, Value};

/// What of a value is kept.
#[derive(Debug)]
pub(super) enum Keep {
    /// All of it.
    Whole,
    /// All but what API servers and tools write for themselves.
    Most,
    /// These fields of a map, or of every map in a list.
    Fields(&'static [(&'static str, Keep)]),
    /// Entries of a map whose keys belong to one of our domains.
    Ours,
    /// Maps of a list whose `type` is this.
    OfType(&'static str),
}

impl Keep {
    /// Throws away what is not kept.
    pub(super) fn prune(&self, value: &mut Value) {
        match (self, value) {
            (Self::Most, Value::Object(map)) => shed(map),
            (Self::Fields(fields), Value::Object(map)) => prune_map(fields, map),
            (Self::Fields(_), Value::Array(items)) => {
                for item in items {
                    self.prune(item);
                }
            }
            (Self::Ours, Value::Object(map)) => map.retain(|key, _| is_ours(key)),
            (Self::OfType(wanted), Value::Array(items)) => items.retain(|item| {
                item.get("type").and_then(Value::as_str).is_none_or(|t| t == *wanted)
            }),
            // What is kept whole is, and what is not of the shape that it should be is left for
            // admission to refuse.
            (Self::Whole | Self::Most | Self::Fields(_) | Self::Ours | Self::OfType(_), _) => {}
        }
    }
}

fn prune_map(fields: &[(&'static str, Keep)], map: &mut Map<String, Value>) {
    map.retain(|key, value| {
        let kept = fields.iter().find(|(name, _)| name == key);
        kept.inspect(|(_, keep)| keep.prune(value)).is_some()
    });
}

/// Takes away what API servers and tools write for themselves.
fn shed(map: &mut Map<String, Value>) {
    let Some(Value::Object(metadata)) = map.get_mut("metadata") else { return };
    metadata.remove("managedFields");
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.remove(LAST_APPLIED);
    }
}

/// Whether a key belongs to a domain that we read.
fn is_ours(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let is_in = |parent: &str| {
        domain.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    OUR_DOMAINS.iter().any(|parent| is_in(parent))
}

type Fields = &'static [(&'static str, Keep)];

/// Names, labels and age.
const METADATA: Fields = &[
    ("name", Keep::Whole),
    ("namespace", Keep::Whole),
    ("uid", Keep::Whole),
    ("labels", Keep::Whole),
    ("annotations", Keep::Ours),
    ("creationTimestamp", Keep::Whole),
    ("deletionTimestamp", Keep::Whole),
    ("ownerReferences", Keep::Fields(OWNER)),
];
const OWNER: Fields = &[
    ("apiVersion", Keep::Whole),
    ("kind", Keep::Whole),
    ("name", Keep::Whole),
    ("controller", Keep::Whole),
];

/// What is kept of a Namespace.
pub(super) const NAMESPACE: Fields = &[("metadata", Keep::Fields(METADATA))];

/// What is kept of a Node.
pub(super) const NODE: Fields = &[
    ("metadata", Keep::Fields(METADATA)),
    ("status", Keep::Fields(&[("addresses", Keep::Whole)])),
];

/// What is kept of a Pod.
pub(super) const POD: Fields = &[
    ("metadata", Keep::Fields(METADATA)),
    (
        "spec",
        Keep::Fields(&[
            ("nodeName", Keep::Whole),
            ("hostNetwork", Keep::Whole),
            ("serviceAccountName", Keep::Whole),
            ("containers", Keep::Fields(&[("ports", Keep::Fields(CONTAINER_PORT))])),
        ]),
    ),
    (
        "status",
        Keep::Fields(&[
            ("phase", Keep::Whole),
            ("podIP", Keep::Whole),
            ("podIPs", Keep::Whole),
            ("conditions", Keep::OfType("Ready")),
        ]),
    ),
];
const CONTAINER_PORT: Fields =
    &[("name", Keep::Whole), ("containerPort", Keep::Whole), ("protocol", Keep::Whole)];

/// What is kept of an EndpointSlice.
pub(super) const ENDPOINT_SLICE: Fields = &[
    ("metadata", Keep::Fields(METADATA)),
    ("addressType", Keep::Whole),
    ("endpoints", Keep::Fields(ENDPOINT)),
    ("ports", Keep::Whole),
];
const ENDPOINT: Fields = &[
    ("addresses", Keep::Whole),
    ("conditions", Keep::Whole),
    ("nodeName", Keep::Whole),
    ("zone", Keep::Whole),
    ("targetRef", Keep::Fields(TARGET)),
];
const TARGET: Fields = &[("kind", Keep::Whole), ("namespace", Keep::Whole), ("name", Keep::Whole)];

/// Domains of annotations that we read, with those below them.
const OUR_DOMAINS: &[&str] = &["istio.io", "waypoint.dev"];
/// What `kubectl apply` writes: the object once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

#[cfg(test)]
mod tests;
