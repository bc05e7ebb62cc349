//! Paths of an AuthorizationPolicy, parsed (Istio `pkg/config/security/security.go`).
//!
//! It matches nothing; `policy` does.

use crate::mesh::pattern::StringMatch;

/// A path of a policy: a string match, or a template with `{*}` and `{**}`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PathPattern {
    /// Exact, prefix, suffix or present.
    String(StringMatch),
    /// A path template.
    Template(PathTemplate),
}

impl PathPattern {
    /// Parses a path as a policy writes it; one that holds `{*}` or `{**}` is a template.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        if text.contains(ONE) || text.contains(MANY) {
            PathTemplate::parse(text).map(Self::Template)
        } else {
            Ok(Self::String(StringMatch::parse(text)))
        }
    }
}

/// `/a/{*}/c`, `/a/{**}`: what stands between the slashes of a path, after the first slash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathTemplate {
    /// The segments; at most one is [`TemplateSegment::Many`], and no [`TemplateSegment::One`]
    /// follows it.
    pub segments: Vec<TemplateSegment>,
}

impl PathTemplate {
    /// Parses a template; outside of `{*}` and `{**}`, braces and asterisks are refused.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let invalid = |reason| InvalidTemplate { template: text.to_owned(), reason };
        let path = text.strip_prefix('/').ok_or_else(|| invalid("does not begin with /"))?;
        let mut segments = Vec::new();
        for segment in path.split('/') {
            let segment = match segment {
                ONE => TemplateSegment::One,
                MANY => TemplateSegment::Many,
                text if text.contains(['{', '}', '*']) => {
                    return Err(invalid("has an operator that is not a whole segment"));
                }
                text => TemplateSegment::Literal(text.to_owned()),
            };
            let is_operator = !matches!(segment, TemplateSegment::Literal(_));
            if is_operator && segments.contains(&TemplateSegment::Many) {
                return Err(invalid("has an operator after {**}"));
            }
            segments.push(segment);
        }
        Ok(Self { segments })
    }
}

/// A segment of a [`PathTemplate`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TemplateSegment {
    /// This text.
    Literal(String),
    /// One segment that is not empty.
    One,
    /// All that is left, slashes included and even if empty; the slash before it must be there, so
    /// `/a/{**}` matches `/a/` and not `/a`, as in Envoy.
    Many,
}

/// A path that looks like a template and is none.
#[derive(Debug, thiserror::Error, Eq, PartialEq)]
#[error("path template {template:?} {reason}")]
pub struct InvalidTemplate {
    /// The template.
    pub template: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

const ONE: &str = "{*}";
const MANY: &str = "{**}";
