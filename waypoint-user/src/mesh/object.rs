//! How objects are named.
//!
//! It holds no contents of objects; of these it knows the version only.

use std::fmt;

/// Namespace and name of an object; cluster-scoped objects have an empty namespace.
#[derive(Clone, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct ObjectName {
    /// The namespace, empty for cluster-scoped objects.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectName {
    /// Names an object of a namespace.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// Names a cluster-scoped object.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self { namespace: String::new(), name: name.into() }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// Kind and name of an object, as messages show it: `Service default/reviews`.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct ObjectRef {
    /// The kind, as manifests write it.
    pub kind: String,
    /// The name.
    pub name: ObjectName,
}

impl ObjectRef {
    /// Refers to an object.
    pub fn new(kind: impl Into<String>, name: ObjectName) -> Self {
        Self { kind: kind.into(), name }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// Which object of its name it is, and which version of what is asked of it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Version {
    /// What tells it from an earlier object of its name; empty for what nobody stored.
    pub uid: String,
    /// Grows with every change of what is asked for.
    pub generation: i64,
}

#[cfg(test)]
mod tests;
