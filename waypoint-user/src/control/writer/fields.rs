//! Which fields of an object are ours, by the object's own record (`metadata.managedFields`,
//! Kubernetes' structured-merge-diff, `FieldsV1`).
//!
//! It knows no schema: the record says what is a key and what is a value of a list.

use serde_json::{Map, Value};

use crate::control::kind::Part;

use super::FIELD_MANAGER;

/// Whether the fields of the object that we applied last are exactly these, with these values.
pub fn is_settled(live: &Value, wanted: &Value, part: Part) -> bool {
    let Some(record) = our_record(live, part) else { return false };
    let mut owned = project(live, record);
    let mut wanted = wanted.clone();
    for object in [&mut owned, &mut wanted] {
        strip(object);
    }
    owned == wanted
}

/// Our entry of the record.
fn our_record(live: &Value, part: Part) -> Option<&Value> {
    let text = |entry: &Value, key| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    let ours = entries.iter().find(|entry| {
        text(entry, "manager").as_deref() == Some(FIELD_MANAGER)
            && text(entry, "operation").as_deref() == Some("Apply")
            && text(entry, "subresource").as_deref() == part.subresource()
    })?;
    ours.get("fieldsV1")
}

/// What of a value the record lists.
fn project(live: &Value, record: &Value) -> Value {
    let Some(listed) = record.as_object().filter(|listed| !listed.is_empty()) else {
        return live.clone();
    };
    match live {
        Value::Object(fields) => {
            let owned = listed.iter().filter_map(|(key, below)| {
                let name = key.strip_prefix("f:")?;
                Some((name.to_owned(), project(fields.get(name)?, below)))
            });
            Value::Object(owned.collect())
        }
        Value::Array(items) => {
            let owned = items.iter().enumerate().filter_map(|(index, item)| {
                let below = listed.iter().find(|(key, _)| is_item(key, index, item))?.1;
                Some(project(item, below))
            });
            Value::Array(owned.collect())
        }
        scalar => scalar.clone(),
    }
}

/// Whether a key of the record names this item of a list.
fn is_item(key: &str, index: usize, item: &Value) -> bool {
    match key.split_once(':') {
        Some(("k", keys)) => serde_json::from_str(keys).is_ok_and(|keys: Map<String, Value>| {
            keys.iter().all(|(name, value)| item.get(name) == Some(value))
        }),
        Some(("v", value)) => serde_json::from_str(value).is_ok_and(|value: Value| value == *item),
        Some(("i", position)) => position.parse() == Ok(index),
        _ => false,
    }
}

/// Leaves out what names the object, and maps of the metadata that hold nothing.
fn strip(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else { return };
    fields.remove("apiVersion");
    fields.remove("kind");
    if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
        metadata.remove("name");
        metadata.remove("namespace");
        metadata.retain(|_, value| value.as_object().is_none_or(|inner| !inner.is_empty()));
        if metadata.is_empty() {
            fields.remove("metadata");
        }
    }
}

#[cfg(test)]
mod tests;
