//! Why an object is not understood.
//!
//! It names no object; who reports it does.

use std::fmt::Display;

/// An object that is not understood, in one lower-case sentence that names the field.
#[derive(Debug, thiserror::Error, Eq, PartialEq)]
#[error("{0}")]
pub(in crate::sync) struct Invalid(String);

impl Invalid {
    /// Says what is wrong.
    pub(in crate::sync) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// Says what is wrong with a field.
    pub(in crate::sync) fn field(field: &str, cause: impl Display) -> Self {
        Self(format!("{field}: {cause}"))
    }
}
