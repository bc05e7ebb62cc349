//! A request's head as decisions see it.
//!
//! This is the only place where the `http` crate's types meet `mesh`.
//!
//! **Invariant:** the path is in normal form.

use std::borrow::Cow;

use http::{HeaderMap, Version, request::Parts};

use crate::mesh::{path::normalize, request::RequestHead};

/// A head that is kept as long as its request lives.
#[derive(Clone, Debug)]
pub(super) struct Head {
    method: http::Method,
    authority: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
}

/// A head that is looked at while its request is in hand.
pub(super) struct HeadRef<'a> {
    parts: &'a Parts,
    authority: &'a str,
    path: Cow<'a, str>,
}

impl<'a> HeadRef<'a> {
    /// The head, with its path in normal form.
    pub(super) fn of(parts: &'a Parts, authority: &'a str) -> Self {
        Self { parts, authority, path: normalize(parts.uri.path()) }
    }

    /// A copy that outlives the request.
    pub(super) fn to_owned(&self) -> Head {
        Head {
            method: self.parts.method.clone(),
            authority: self.authority.to_owned(),
            path: self.path.clone().into_owned(),
            query: self.parts.uri.query().map(str::to_owned),
            headers: self.parts.headers.clone(),
        }
    }

    /// What the client speaks.
    pub(super) fn version(&self) -> Version {
        self.parts.version
    }

    /// The header fields.
    pub(super) fn fields(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The path in normal form, and the query, as an endpoint is asked for them; `None` where the
    /// client sent them so.
    pub(super) fn path_and_query(&self) -> Option<String> {
        match (&self.path, self.parts.uri.query()) {
            (Cow::Borrowed(_), _) => None,
            (Cow::Owned(path), Some(query)) => Some(format!("{path}?{query}")),
            (Cow::Owned(path), None) => Some(path.clone()),
        }
    }
}

impl RequestHead for HeadRef<'_> {
    fn method(&self) -> &str {
        self.parts.method.as_str()
    }

    fn scheme(&self) -> &str {
        SCHEME
    }

    fn authority(&self) -> &str {
        self.authority
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn query(&self) -> Option<&str> {
        self.parts.uri.query()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        joined(&self.parts.headers, name)
    }
}

impl RequestHead for Head {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn scheme(&self) -> &str {
        SCHEME
    }

    fn authority(&self) -> &str {
        &self.authority
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        joined(&self.headers, name)
    }
}

/// The values of a field, joined by a comma when there are several.
fn joined<'a>(headers: &'a HeaderMap, name: &str) -> Option<Cow<'a, str>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    let mut all = Cow::Borrowed(first);
    for value in values {
        let all = all.to_mut();
        all.push(',');
        all.push_str(value.to_str().ok()?);
    }
    Some(all)
}

/// Captured connections are not encrypted.
const SCHEME: &str = "http";

#[cfg(test)]
mod tests;
