//! Lengths of time in fields of routes.
//!
//! How they are written is `span`'s.

use std::time::Duration;

use crate::sync::span::Span;

use super::invalid::Invalid;

/// Reads a duration; a field that is not there has none.
pub(super) fn optional(field: &str, text: Option<&str>) -> Result<Option<Duration>, Invalid> {
    let read = |text: &str| text.parse().map_err(|cause| Invalid::field(field, cause));
    text.map(|text| read(text).map(|Span(time)| time)).transpose()
}
