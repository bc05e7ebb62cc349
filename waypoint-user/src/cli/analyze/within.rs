//! How much of a mesh is shown: all of it, or one namespace.

use crate::mesh::object::{ObjectName, ObjectRef};

/// A namespace, or all of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Within(Option<String>);

impl Within {
    /// This namespace; all without one.
    pub(super) const fn new(namespace: Option<String>) -> Self {
        Self(namespace)
    }

    /// Whether an object of a namespace is shown.
    pub(super) fn has(&self, name: &ObjectName) -> bool {
        self.0.as_ref().is_none_or(|namespace| name.namespace == *namespace)
    }

    /// Whether what there is to say of an object is shown: also of the namespace itself, and of
    /// objects of the whole cluster.
    pub(super) fn has_ref(&self, object: &ObjectRef) -> bool {
        let whole = object.name.namespace.is_empty();
        let other =
            |namespace: &String| object.kind == "Namespace" && object.name.name != *namespace;
        if whole { !self.0.as_ref().is_some_and(other) } else { self.has(&object.name) }
    }
}
