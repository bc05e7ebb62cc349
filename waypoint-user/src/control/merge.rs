//! Strategic merge of a patch onto an object (Kubernetes `strategicpatch`): maps are merged, null
//! takes a field away, and lists of named things are merged by their names.
//!
//! It knows the lists of the kinds that waypoints run in, and no others.
//!
//! **Invariant:** a patch that is not understood changes nothing: it is refused whole.

use serde_json::{Map, Value};

/// The object with the patch merged onto it.
pub fn merge(base: &Value, patch: &Value) -> Result<Value, Error> {
    let mut path = Vec::new();
    let Value::Object(_) = patch else {
        return Err(Error::NotAMap { path: "the patch".to_owned() });
    };
    let mut merged = base.clone();
    merge_value(&mut merged, patch, &mut path)?;
    Ok(merged)
}

/// Merges, or puts the patch in the place of what is there.
fn merge_value<'p>(
    base: &mut Value,
    patch: &'p Value,
    path: &mut Vec<&'p str>,
) -> Result<(), Error> {
    match (&mut *base, patch) {
        (Value::Object(base), Value::Object(patch)) => merge_maps(base, patch, path),
        (Value::Array(there), Value::Array(items)) => match key_of(path) {
            Some(key) => merge_items(there, items, key, path),
            None if is_set(path) => {
                let new: Vec<_> = items.iter().filter(|one| !there.contains(one)).collect();
                there.extend(new.into_iter().cloned());
                Ok(())
            }
            None => {
                *base = patch.clone();
                Ok(())
            }
        },
        _ => {
            *base = without_directives(patch, path)?;
            Ok(())
        }
    }
}

fn merge_maps<'p>(
    base: &mut Map<String, Value>,
    patch: &'p Map<String, Value>,
    path: &mut Vec<&'p str>,
) -> Result<(), Error> {
    match directive(patch, path)? {
        Directive::Delete => {
            base.clear();
            return Ok(());
        }
        Directive::Replace => base.clear(),
        Directive::Merge => {}
    }
    for (field, value) in patch {
        if field.starts_with('$') {
            special(base, field, value, path)?;
            continue;
        }
        path.push(field);
        if value.is_null() {
            base.remove(field);
        } else if let Some(there) = base.get_mut(field) {
            merge_value(there, value, path)?;
        } else {
            base.insert(field.clone(), without_directives(value, path)?);
        }
        path.pop();
    }
    Ok(())
}

/// Merges the items of a list by the value of their key; new ones go to the end.
fn merge_items<'p>(
    there: &mut Vec<Value>,
    items: &'p [Value],
    key: &'static str,
    path: &mut Vec<&'p str>,
) -> Result<(), Error> {
    if items.iter().any(|item| item.get("$patch").is_some_and(|word| word == "replace")) {
        let kept = items.iter().filter(|item| item.get("$patch").is_none());
        *there = kept.cloned().collect();
        return Ok(());
    }
    for item in items {
        let (Some(name), Value::Object(fields)) = (item.get(key), item) else {
            return Err(Error::Nameless { path: path.join("."), key });
        };
        let position = there.iter().position(|one| one.get(key) == Some(name));
        match (position, directive(fields, path)?) {
            (Some(position), Directive::Delete) => drop(there.remove(position)),
            (None, Directive::Delete) => {}
            (Some(position), _) => {
                if let Some(one) = there.get_mut(position) {
                    merge_value(one, item, path)?;
                }
            }
            (None, _) => there.push(without_directives(item, path)?),
        }
    }
    Ok(())
}

/// What a map of the patch does to the one that is there.
enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(patch: &Map<String, Value>, path: &[&str]) -> Result<Directive, Error> {
    match patch.get("$patch").map(Value::as_str) {
        None | Some(Some("merge")) => Ok(Directive::Merge),
        Some(Some("replace")) => Ok(Directive::Replace),
        Some(Some("delete")) => Ok(Directive::Delete),
        Some(_) => Err(Error::Directive { path: path.join("."), what: "$patch".to_owned() }),
    }
}

/// Does what a field says whose name begins with `$`.
fn special(
    base: &mut Map<String, Value>,
    field: &str,
    value: &Value,
    path: &[&str],
) -> Result<(), Error> {
    let unknown = || Error::Directive { path: path.join("."), what: field.to_owned() };
    let words = |value: &Value| value.as_array().cloned().ok_or_else(unknown);
    if field == "$patch" || field.starts_with("$setElementOrder/") {
        return Ok(());
    }
    if field == "$retainKeys" {
        let kept = words(value)?;
        base.retain(|key, _| kept.iter().any(|one| one == key));
        return Ok(());
    }
    let list = field.strip_prefix("$deleteFromPrimitiveList/").ok_or_else(unknown)?;
    let gone = words(value)?;
    if let Some(Value::Array(items)) = base.get_mut(list) {
        items.retain(|item| !gone.contains(item));
    }
    Ok(())
}

/// A value that there was nothing to merge with: its directives have nothing to do, nor have its
/// nulls.
fn without_directives<'p>(value: &'p Value, path: &mut Vec<&'p str>) -> Result<Value, Error> {
    match value {
        Value::Object(fields) => {
            let mut made = Map::new();
            merge_maps(&mut made, fields, path)?;
            Ok(Value::Object(made))
        }
        Value::Array(items) if key_of(path).is_some() => {
            let mut made = Vec::new();
            merge_items(&mut made, items, key_of(path).unwrap_or_default(), path)?;
            Ok(Value::Array(made))
        }
        other => Ok(other.clone()),
    }
}

/// The field by which the items of a list are merged (`patchMergeKey` of the API types).
fn key_of(path: &[&str]) -> Option<&'static str> {
    let in_containers = || path.iter().any(|field| CONTAINERS.contains(field));
    Some(match *path.last()? {
        field if CONTAINERS.contains(&field) => "name",
        "volumes" | "env" | "imagePullSecrets" | "resourceClaims" | "secrets" => "name",
        "ports" if in_containers() => "containerPort",
        "ports" => "port",
        "volumeMounts" => "mountPath",
        "volumeDevices" => "devicePath",
        "topologySpreadConstraints" => "topologyKey",
        "hostAliases" => "ip",
        "ownerReferences" => "uid",
        _ => return None,
    })
}

/// Whether a list of words is merged as a set.
fn is_set(path: &[&str]) -> bool {
    matches!(path, ["metadata", "finalizers"])
}

const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Why a patch is not understood.
#[derive(Debug, thiserror::Error, Eq, PartialEq)]
pub enum Error {
    /// It has no fields.
    #[error("{path} is not a map")]
    NotAMap {
        /// Where.
        path: String,
    },
    /// An item of a list that is merged by name has none.
    #[error("{path}: an item without {key}")]
    Nameless {
        /// Where.
        path: String,
        /// What it lacks.
        key: &'static str,
    },
    /// A directive that nobody knows.
    #[error("{path}: directive {what} is not understood")]
    Directive {
        /// Where.
        path: String,
        /// Which.
        what: String,
    },
}

#[cfg(test)]
mod tests;
