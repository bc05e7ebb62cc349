//! Patterns over strings, parsed once and matched often.
//!
//! **Invariant:** matching is linear in the text; a pattern that compiles to more than
//! [`PROGRAM_BYTES_MAX`] is refused.

use std::fmt;

/// Largest compiled regular expression, in bytes.
pub const PROGRAM_BYTES_MAX: usize = 256 * 1024;

/// Largest program of expressions that are tried at once, in bytes.
pub const SET_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A regular expression that must match the whole text (Gateway API `RegularExpression`, RE2
/// syntax).
#[derive(Clone)]
pub struct Regex {
    source: String,
    program: regex::Regex,
}

impl Regex {
    /// Compiles an expression.
    pub fn new(source: &str) -> Result<Self, InvalidRegex> {
        // Compiled alone first: `a)|(b` is only an expression once the anchors are around it, and
        // would then match less than the whole text.
        let program = compile(source)
            .and_then(|_| compile(&format!("^(?:{source})$")))
            .map_err(|cause| InvalidRegex { source_text: source.to_owned(), cause })?;
        Ok(Self { source: source.to_owned(), program })
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.program.is_match(text)
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Regex({:?})", self.source)
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Regex {}

/// Several expressions, tried at once where they fit together into [`SET_BYTES_MAX`], else one
/// after another.
#[derive(Clone, Debug, Default)]
pub struct RegexSet {
    expressions: Vec<Regex>,
    together: Option<regex::RegexSet>,
}

impl RegexSet {
    /// A set of these.
    pub fn new(expressions: Vec<Regex>) -> Self {
        let anchored = expressions.iter().map(|one| one.program.as_str());
        let together = (expressions.len() > 1).then(|| {
            regex::RegexSetBuilder::new(anchored)
                .size_limit(SET_BYTES_MAX)
                .dfa_size_limit(SET_BYTES_MAX)
                .build()
        });
        Self { expressions, together: together.and_then(Result::ok) }
    }

    /// Tells the position of each expression that matches the whole text.
    pub fn each_match(&self, text: &str, tell: impl FnMut(usize)) {
        if let Some(together) = &self.together {
            together.matches(text).iter().for_each(tell);
        } else {
            let matching = self.expressions.iter().enumerate();
            let matching = matching.filter(|(_, one)| one.matches(text));
            matching.map(|(at, _)| at).for_each(tell);
        }
    }
}

/// An expression that is malformed or too large.
#[derive(Debug, thiserror::Error)]
#[error("invalid regular expression {source_text:?}: {cause}")]
pub struct InvalidRegex {
    /// The expression.
    pub source_text: String,
    /// What is wrong with it.
    cause: regex::Error,
}

/// Istio's string match: exact, `prefix*`, `*suffix`, or `*` for present and not empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StringMatch {
    /// The whole text.
    Exact(String),
    /// The text begins so.
    Prefix(String),
    /// The text ends so.
    Suffix(String),
    /// Any text but the empty one.
    Present,
}

impl StringMatch {
    /// Parses a pattern; every text is one.
    pub fn parse(pattern: &str) -> Self {
        if pattern == "*" {
            Self::Present
        } else if let Some(suffix) = pattern.strip_prefix('*') {
            Self::Suffix(suffix.to_owned())
        } else if let Some(prefix) = pattern.strip_suffix('*') {
            Self::Prefix(prefix.to_owned())
        } else {
            Self::Exact(pattern.to_owned())
        }
    }

    /// Whether the text matches.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => text == exact,
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Self::Present => !text.is_empty(),
        }
    }
}

fn compile(source: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(source)
        .size_limit(PROGRAM_BYTES_MAX)
        .dfa_size_limit(PROGRAM_BYTES_MAX)
        .build()
}

#[cfg(test)]
mod tests;
