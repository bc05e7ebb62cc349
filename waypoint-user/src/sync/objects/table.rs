//! The objects of one kind.
//!
//! It knows nothing of what they say.

use std::{
    collections::{BTreeMap, btree_map},
    ops::Deref,
    sync::Arc,
};

use crate::mesh::object::ObjectName;

/// Objects of one kind by name. Clones share them until one of the clones is changed, so that a
/// change costs what its own kind does.
#[derive(Clone, Debug)]
pub struct Table<T>(Arc<BTreeMap<ObjectName, T>>);

impl<T: Clone> Table<T> {
    /// Adds an object, or replaces it.
    pub fn insert(&mut self, name: ObjectName, object: T) {
        Arc::make_mut(&mut self.0).insert(name, object);
    }

    /// Removes an object.
    pub fn remove(&mut self, name: &ObjectName) {
        if self.0.contains_key(name) {
            Arc::make_mut(&mut self.0).remove(name);
        }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Deref for Table<T> {
    type Target = BTreeMap<ObjectName, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'t, T> IntoIterator for &'t Table<T> {
    type Item = (&'t ObjectName, &'t T);
    type IntoIter = btree_map::Iter<'t, ObjectName, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
