//! Manifest files as they were read last, and the last good version of every object in them.
//!
//! It reads no file system.
//!
//! **Invariant:** a document that is refused changes no other object.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use crate::mesh::{
    object::{ObjectName, ObjectRef},
    report::{Finding, Report},
};

use super::{
    admit::{Admission, admit},
    document,
    finding::{error, warning},
    last_good,
    objects::{Object, Objects},
};

/// The objects in files that nobody read before, each given as its name and its contents, and what
/// there is to say of them.
pub fn objects_in(files: &[(&str, &[u8])]) -> (Objects, Report) {
    let mut read = Files::default();
    for (name, bytes) in files {
        read.replace(name, bytes);
    }
    read.merge()
}

/// The files of a source, by name.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: BTreeMap<String, File>,
    note: Option<Finding>,
}

/// One file.
#[derive(Debug, Default)]
struct File {
    objects: BTreeMap<ObjectRef, Object>,
    findings: Vec<(ObjectRef, Finding)>,
}

impl Files {
    /// Takes the new contents of a file.
    pub(super) fn replace(&mut self, name: &str, bytes: &[u8]) {
        match document::parse(bytes) {
            Ok(documents) => {
                let mut last = self.files.remove(name).unwrap_or_default();
                let mut file = File::default();
                for document in documents {
                    let place = format!("{name}:{}", document.line);
                    file.take(name, admit(document.value, &place), &place, &mut last.objects);
                }
                self.files.insert(name.to_owned(), file);
            }
            Err(malformed) => {
                let at = malformed.line;
                let message = format!("{name}:{at}: {}; {KEPT}", malformed.message);
                self.keep(name, error("Malformed", message));
            }
        }
    }

    /// Notes that a file cannot be read; its objects stay as they are.
    pub(super) fn keep(&mut self, name: &str, finding: Finding) {
        let file = self.files.entry(name.to_owned()).or_default();
        file.findings = vec![(file_ref(name), finding)];
    }

    /// Notes what there is to say of all files together.
    pub(super) fn note(&mut self, note: Option<Finding>) {
        self.note = note;
    }

    /// Forgets files that are gone, and their objects.
    pub(super) fn retain(&mut self, names: &BTreeSet<String>) {
        self.files.retain(|name, _| names.contains(name));
    }

    /// All objects, each from the first file that has it, and what there is to say of the files.
    pub(super) fn merge(&self) -> (Objects, Report) {
        let mut objects = Objects::default();
        let mut report = Report::default();
        let mut origin: BTreeMap<&ObjectRef, &str> = BTreeMap::new();
        if let Some(note) = &self.note {
            let source = ObjectRef::new("Source", ObjectName::cluster("manifests"));
            report.add(source, note.clone());
        }
        for (name, file) in &self.files {
            for (object, finding) in &file.findings {
                report.add(object.clone(), finding.clone());
            }
            for (object, contents) in &file.objects {
                if let Some(first) = origin.get(object) {
                    report.add(object.clone(), duplicate(name, first));
                } else if origin.len() >= OBJECTS_MAX {
                    report.add(file_ref(name), too_many());
                } else {
                    origin.insert(object, name);
                    objects.insert(object.name.clone(), contents.clone());
                }
            }
        }
        (objects, report)
    }
}

impl File {
    /// Takes what became of a document; `last` holds the good versions of before.
    fn take(
        &mut self,
        name: &str,
        admission: Admission,
        place: &str,
        last: &mut BTreeMap<ObjectRef, Object>,
    ) {
        let before = admission.object().and_then(|object| last.get(object));
        match last_good::compare(admission, before) {
            Admission::Object(object, contents) => match self.objects.entry(object) {
                Entry::Vacant(vacant) => drop(vacant.insert(contents)),
                Entry::Occupied(first) => {
                    self.findings.push((first.key().clone(), duplicate(place, name)));
                }
            },
            Admission::Ignored(object, finding) => self.findings.push((object, finding)),
            Admission::Refused { object, finding, instead } => {
                let (kept, finding) = last_good::keep(finding, instead, last.remove(&object));
                if let Some(contents) = kept {
                    self.objects.entry(object.clone()).or_insert(contents);
                }
                self.findings.push((object, finding));
            }
            Admission::Nameless(finding) => self.findings.push((file_ref(name), finding)),
        }
    }
}

/// A file, as findings name it.
fn file_ref(name: &str) -> ObjectRef {
    ObjectRef::new("File", ObjectName::cluster(name))
}

/// Says that an object is there twice.
fn duplicate(place: &str, first: &str) -> Finding {
    warning("Duplicate", format!("{place}: it is in {first} already, which is what counts"))
}

/// Says that there is no room for more objects.
fn too_many() -> Finding {
    error("TooManyObjects", format!("more than {OBJECTS_MAX} objects; the rest is left out"))
}

/// Most objects of a source.
const OBJECTS_MAX: usize = 50_000;
/// What becomes of the objects of a file that cannot be read.
pub(super) const KEPT: &str = "its objects stay as they were";

#[cfg(test)]
mod tests;
