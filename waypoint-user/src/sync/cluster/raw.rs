//! Objects as an API server sends them, before anybody looked at what they say.
//!
//! It knows names and versions of objects only.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::mesh::object::ObjectName;

use super::kinds::Kind;

/// An object, as it came.
#[derive(Clone, Debug)]
pub(super) struct Raw(Value);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Value::deserialize(from).map(Self)
    }
}

impl Raw {
    /// The version that a watch goes on from.
    pub(super) fn resource_version(&self) -> Option<&str> {
        self.0.get("metadata")?.get("resourceVersion")?.as_str().filter(|text| !text.is_empty())
    }

    /// As a manifest's document would say it, without what nobody looks at. Items of lists say
    /// neither kind nor version.
    pub(super) fn into_document(self, kind: &Kind, api_version: &str) -> Option<Document> {
        let version = self.resource_version().and_then(|text| text.parse().ok()).unwrap_or(0);
        let Self(mut value) = self;
        let name = name(&value)?;
        kind.keep.prune(&mut value);
        let fields = value.as_object_mut()?;
        fields.insert("apiVersion".to_owned(), api_version.into());
        fields.insert("kind".to_owned(), kind.name.into());
        Some(Document { name, version, value })
    }
}

/// An object, as a manifest would have it.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) name: ObjectName,
    /// Its resource version: of two of the same kind, the newer has the larger.
    pub(super) version: u64,
    pub(super) value: Value,
}

fn name(value: &Value) -> Option<ObjectName> {
    let metadata = value.get("metadata")?;
    let text = |key: &str| metadata.get(key).and_then(Value::as_str);
    let name = text("name").filter(|name| !name.is_empty())?;
    Some(ObjectName::new(text("namespace").unwrap_or_default(), name))
}

/// One page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) metadata: PageMetadata,
    #[serde(default)]
    pub(super) items: Vec<Raw>,
}

/// What a page says of the list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageMetadata {
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(default, rename = "continue")]
    pub(super) next: Option<String>,
}

#[cfg(test)]
mod tests;
