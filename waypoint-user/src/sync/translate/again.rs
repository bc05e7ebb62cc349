//! Parts of routes whose generated types differ in name only, read as one another.
//!
//! It judges nothing; what is read is judged by who asked.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::invalid::Invalid;

/// Reads a part of an object as a part of another type.
pub(super) fn again<T: DeserializeOwned>(part: &impl Serialize) -> Result<T, Invalid> {
    let same: Result<Value, _> = serde_json::to_value(part);
    same.and_then(serde_json::from_value).map_err(|cause| Invalid::new(cause.to_string()))
}
