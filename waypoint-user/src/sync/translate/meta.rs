//! What objects have in common: labels, annotations, port numbers, selectors.
//!
//! It knows no kind.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::mesh::{
    label::{Labels, Requirement, Selector},
    object::Version,
};

use super::invalid::Invalid;

/// An object's labels.
pub(super) fn labels(meta: &ObjectMeta) -> &Labels {
    meta.labels.as_ref().unwrap_or(&NONE)
}

/// An object's annotations.
pub(super) fn annotations(meta: &ObjectMeta) -> &Labels {
    meta.annotations.as_ref().unwrap_or(&NONE)
}

/// Which object it is, and which version of what was asked of it.
pub(super) fn version(meta: &ObjectMeta) -> Version {
    Version {
        uid: meta.uid.clone().unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
    }
}

/// A port number.
pub(super) fn port(number: impl Into<i64>) -> Result<u16, Invalid> {
    let number = number.into();
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(Invalid::new(format!("{number} is not a port (1 to 65535)"))),
    }
}

/// One requirement of a selector, as every API writes it: key, operator, values.
pub(super) type Expression<'a> = (&'a str, &'a str, &'a [String]);

/// A label selector.
pub(super) fn selector<'a>(
    labels: Option<&BTreeMap<String, String>>,
    expressions: impl Iterator<Item = Expression<'a>>,
) -> Result<Selector, Invalid> {
    let mut selector = labels.map(Selector::equals).unwrap_or_default();
    for (key, operator, values) in expressions {
        let key = key.to_owned();
        selector.requirements.push(match operator {
            "In" => Requirement::In(key, values.to_vec()),
            "NotIn" => Requirement::NotIn(key, values.to_vec()),
            "Exists" => Requirement::Exists(key),
            "DoesNotExist" => Requirement::DoesNotExist(key),
            other => return Err(Invalid::new(format!("{other:?} is not a selector operator"))),
        });
    }
    Ok(selector)
}

/// Whether the text is a truth value that says yes, in any spelling that Istio takes.
pub(super) fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

static NONE: Labels = Labels::new();
