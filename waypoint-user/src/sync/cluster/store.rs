//! What was read of a cluster: the last good version of every object, by the selection that it
//! came with.
//!
//! It asks nobody and translates nothing.
//!
//! **Invariant:** an object is there for as long as any selection holds it, in the newest version
//! that one holds.
//! **Invariant:** an object that did not change is not admitted again.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use serde_json::Value;

use crate::{
    mesh::{
        object::{ObjectName, ObjectRef},
        report::{Finding, Report},
    },
    sync::{
        admit::{Admission, admit},
        finding::{error, notice},
        last_good,
        objects::{Object, Objects},
    },
};

use super::{news::Change, raw::Document, selection::Selection};

/// Everything that was read.
#[derive(Debug, Default)]
pub(super) struct Store {
    shelves: BTreeMap<Arc<Selection>, Shelf>,
    objects: Arc<Objects>,
    hash: RandomState,
    /// The newest resource version that was taken of each kind.
    newest: BTreeMap<&'static str, u64>,
}

/// What one selection holds.
#[derive(Debug, Default)]
struct Shelf {
    objects: BTreeMap<ObjectName, Kept>,
    /// Which list is being read, or was read last.
    round: u64,
    state: State,
    /// What there is to say of the selection.
    note: Option<Finding>,
}

/// What is known of a selection.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// Nothing yet.
    #[default]
    Unread,
    /// It must not be read.
    Denied,
    /// All of it.
    Read,
}

/// One object.
#[derive(Debug)]
struct Kept {
    version: u64,
    /// Tells whether it changed.
    digest: u64,
    round: u64,
    object: Option<Object>,
    finding: Option<Finding>,
}

impl Store {
    /// Makes room for a selection.
    pub(super) fn add(&mut self, selection: Arc<Selection>) {
        self.shelves.entry(selection).or_default();
    }

    /// Forgets a selection and what only it held.
    pub(super) fn remove(&mut self, selection: &Selection) {
        let Some(shelf) = self.shelves.remove(selection) else { return };
        for (name, kept) in shelf.objects {
            self.settle(selection, &name, kept.object.as_ref());
        }
    }

    /// Whether everything was read that must be before anything is enforced.
    pub(super) fn is_complete(&self) -> bool {
        self.shelves.iter().all(|(selection, shelf)| match shelf.state {
            State::Read => true,
            State::Denied => !selection.kind.is_vital,
            State::Unread => false,
        })
    }

    /// Takes what is new; says whether that changes anything.
    pub(super) fn take(&mut self, selection: &Arc<Selection>, change: Change) -> bool {
        let newest = self.newest.entry(selection.kind.name).or_default();
        *newest = change.version().max(*newest);
        // A selection that nobody wants any more may still have something to tell.
        let Some(shelf) = self.shelves.get_mut(selection) else { return false };
        match change {
            Change::Listing => {
                shelf.round += 1;
                false
            }
            Change::Listed(documents) => {
                let mut changes = false;
                for document in documents {
                    changes |= self.apply(selection, document);
                }
                changes
            }
            Change::Applied(document) => self.apply(selection, *document),
            Change::Deleted(document) => self.delete(selection, &document.name),
            Change::Complete => {
                let is_first = std::mem::replace(&mut shelf.state, State::Read) != State::Read;
                let had_note = shelf.note.take().is_some();
                self.sweep(selection) || is_first || had_note
            }
            Change::NotServed => {
                shelf.round += 1;
                let title = selection.kind.title();
                let message = format!("{title} is not installed in the cluster; there is none");
                let is_first = std::mem::replace(&mut shelf.state, State::Read) != State::Read;
                let told = note(shelf, Some(notice("NotInstalled", message)));
                self.sweep(selection) || is_first || told
            }
            Change::Failing { told, is_denied } => {
                if is_denied && shelf.state == State::Unread {
                    shelf.state = State::Denied;
                }
                let stays = match (shelf.state, selection.kind.is_vital) {
                    (State::Read, _) => "what was read of it stays in force",
                    (_, true) => "nothing is enforced before it can be read",
                    (_, false) => "there is none until it can be read",
                };
                let reason = if is_denied { "Forbidden" } else { "Unreadable" };
                let message = format!("{selection}: {told}; {stays}");
                note(shelf, Some(error(reason, message)))
            }
            Change::Recovered => note(shelf, None),
        }
    }

    /// The objects in force, and what there is to say of what was read.
    pub(super) fn merge(&self) -> (Arc<Objects>, Report) {
        let mut report = Report::default();
        let source = ObjectRef::new("Source", ObjectName::cluster("cluster"));
        for (selection, shelf) in &self.shelves {
            if let Some(note) = &shelf.note {
                report.add(source.clone(), note.clone());
            }
            for (name, kept) in &shelf.objects {
                if let Some(finding) = &kept.finding {
                    report.add(ObjectRef::new(selection.kind.name, name.clone()), finding.clone());
                }
            }
        }
        (Arc::clone(&self.objects), report)
    }

    /// What there is to say of selections, for whoever waits for the first complete reading.
    pub(super) fn notes(&self) -> impl Iterator<Item = &Finding> {
        self.shelves.values().filter_map(|shelf| shelf.note.as_ref())
    }

    /// The newest resource version that was taken of a kind.
    pub(super) fn newest(&self, kind: &str) -> u64 {
        self.newest.get(kind).copied().unwrap_or_default()
    }

    /// How many objects there are of a kind.
    pub(super) fn count(&self, kind: &str) -> usize {
        let shelves = self.shelves.iter().filter(|(selection, _)| selection.kind.name == kind);
        shelves.map(|(_, shelf)| shelf.objects.len()).sum()
    }

    /// Takes an object that is there.
    fn apply(&mut self, selection: &Arc<Selection>, document: Document) -> bool {
        let digest = self.hash.hash_one(&document.value);
        let Document { name, version, value } = document;
        let Some(shelf) = self.shelves.get_mut(selection) else { return false };
        let round = shelf.round;
        let last = match shelf.objects.get_mut(&name) {
            Some(kept) if kept.digest == digest => {
                (kept.version, kept.round) = (version, round);
                return false;
            }
            Some(kept) => kept.object.take(),
            None => None,
        };
        let place = place(&value, version);
        let admission = admit(value, &place);
        let before = last.clone();
        let (object, finding) = outcome(admission, last);
        let kept = Kept { version, digest, round, object, finding };
        shelf.objects.insert(name.clone(), kept);
        self.settle(selection, &name, before.as_ref());
        true
    }

    fn delete(&mut self, selection: &Arc<Selection>, name: &ObjectName) -> bool {
        let Some(shelf) = self.shelves.get_mut(selection) else { return false };
        let Some(kept) = shelf.objects.remove(name) else { return false };
        self.settle(selection, name, kept.object.as_ref());
        true
    }

    /// Forgets what the last list did not have.
    fn sweep(&mut self, selection: &Arc<Selection>) -> bool {
        let Some(shelf) = self.shelves.get(selection) else { return false };
        let gone = shelf.objects.iter().filter(|(_, kept)| kept.round != shelf.round);
        let gone: Vec<ObjectName> = gone.map(|(name, _)| name.clone()).collect();
        let mut changes = false;
        for name in &gone {
            changes |= self.delete(selection, name);
        }
        changes
    }

    /// Puts the newest version of an object in force that any selection of its kind holds;
    /// `before` is what this one held.
    fn settle(&mut self, selection: &Selection, name: &ObjectName, before: Option<&Object>) {
        let of_kind = self.shelves.iter().filter(|(one, _)| one.kind.name == selection.kind.name);
        let held = of_kind.filter_map(|(_, shelf)| shelf.objects.get(name));
        let newest = held.max_by_key(|kept| kept.version).and_then(|kept| kept.object.clone());
        let objects = Arc::make_mut(&mut self.objects);
        match (newest, before) {
            (Some(object), _) => objects.insert(name.clone(), object),
            (None, Some(before)) => objects.remove(name, before),
            (None, None) => {}
        }
    }
}

impl Change {
    /// The newest resource version in it.
    pub(super) fn version(&self) -> u64 {
        match self {
            Self::Listed(documents) => {
                documents.iter().map(|document| document.version).max().unwrap_or_default()
            }
            Self::Applied(document) | Self::Deleted(document) => document.version,
            _ => 0,
        }
    }
}

/// What is in force of a document, and what there is to say of it.
fn outcome(admission: Admission, last: Option<Object>) -> (Option<Object>, Option<Finding>) {
    match last_good::compare(admission, last.as_ref()) {
        Admission::Object(_, object) => (Some(object), None),
        Admission::Ignored(_, finding) | Admission::Nameless(finding) => (None, Some(finding)),
        Admission::Refused { finding, instead, .. } => {
            let (object, finding) = last_good::keep(finding, instead, last);
            (object, Some(finding))
        }
    }
}

/// Which version of an object it is, as findings say it: by its generation where it has one, which
/// stays while only its status changes. A status that says a finding would change that otherwise,
/// for ever.
fn place(value: &Value, version: u64) -> String {
    match value.pointer("/metadata/generation").and_then(Value::as_i64) {
        Some(generation) => format!("generation {generation}"),
        None => format!("resource version {version}"),
    }
}

/// Says something of a selection, or nothing any more; whether that is new.
fn note(shelf: &mut Shelf, note: Option<Finding>) -> bool {
    let differs = shelf.note != note;
    shelf.note = note;
    differs
}

#[cfg(test)]
mod tests;
