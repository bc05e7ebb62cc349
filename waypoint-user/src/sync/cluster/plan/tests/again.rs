//! What a translation takes over from the one before.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use serde_json::Value;

use super::cluster::cluster;
use crate::{
    mesh::{object::ObjectName, snapshot::Settings},
    sync::{
        Served,
        cluster::{kinds::KINDS, news::Change, raw::Document, selection::Selection, store::Store},
        translate::{translate, translate_after},
    },
};

/// Kind and name of a document.
type Key = (String, ObjectName);

fn by_key(documents: Vec<Value>) -> BTreeMap<Key, Value> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = |one: &Value| {
        let metadata = &one["metadata"];
        (text(&one["kind"]), ObjectName::new(text(&metadata["namespace"]), text(&metadata["name"])))
    };
    documents.into_iter().map(|one| (key(&one), one)).collect()
}

/// Lists everything anew.
fn list(store: &mut Store, documents: &BTreeMap<Key, Value>, version: u64) {
    for kind in KINDS {
        let selection = Arc::new(Selection::all(kind));
        store.add(Arc::clone(&selection));
        let own = documents.iter().filter(|((of, _), _)| of == kind.name);
        let own = own.map(|((_, name), value)| Document {
            name: name.clone(),
            version,
            value: value.clone(),
        });
        let listed = Change::Listed(own.collect());
        for change in [Change::Listing, listed, Change::Complete] {
            store.take(&selection, change);
        }
    }
}

proptest! {
    #[test]
    fn what_is_taken_over_is_what_translating_again_gives(
        one in cluster(),
        other in cluster(),
        stays in proptest::collection::vec(proptest::bool::weighted(0.8), 64),
    ) {
        let given = (&Settings::default(), Served::ByStatus);
        let (one, other) = (by_key(one.documents()), by_key(other.documents()));
        let (mut store, mut before) = (Store::default(), None);
        list(&mut store, &one, 1);
        let (objects, report) = store.merge();
        translate_after(&mut before, &objects, given, report);

        let kept = one.iter().zip(stays.iter().cycle()).filter(|(_, stays)| **stays);
        let mut now: BTreeMap<Key, Value> =
            kept.map(|((key, value), _)| (key.clone(), value.clone())).collect();
        let new = other.into_iter().zip(stays.iter().rev().cycle());
        for ((key, value), _) in new.filter(|(_, stays)| !**stays) {
            now.insert(key, value);
        }
        list(&mut store, &now, 2);
        let (objects, report) = store.merge();
        let (snapshot, told) = translate_after(&mut before, &objects, given, report.clone());
        let (anew, told_anew) = translate(&objects, given.0, given.1, report);
        prop_assert_eq!(&*snapshot, &anew);
        prop_assert_eq!(told, told_anew);
    }
}
