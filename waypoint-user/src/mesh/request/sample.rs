//! A request head for tests of decisions.

use std::borrow::Cow;

use super::RequestHead;

/// A request as one writes it: `GET`, `http://host/path?query`, and header fields.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    scheme: String,
    authority: String,
    path: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
}

impl Request {
    /// A request without header fields.
    pub(crate) fn new(method: &str, url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        Self {
            method: method.to_owned(),
            scheme: scheme.to_owned(),
            authority: authority.to_owned(),
            path: path.to_owned(),
            query,
            headers: Vec::new(),
        }
    }

    /// A GET.
    pub(crate) fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// Adds a header field; the name is in lower case.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Replaces the path, by one that no URL has.
    pub(crate) fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }
}

impl RequestHead for Request {
    fn method(&self) -> &str {
        &self.method
    }

    fn scheme(&self) -> &str {
        &self.scheme
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
        let values: Vec<&str> = self
            .headers
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .collect();
        (!values.is_empty()).then(|| Cow::Owned(values.join(",")))
    }
}
