//! The paths that a file names: in `use`, in types, in expressions and inside macros alike.
//!
//! It reads tokens, not syntax, so that a path inside a macro call is seen as well.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path and the line it stands on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NamedPath {
    /// Its segments.
    pub(crate) segments: Vec<String>,
    /// The line of its first segment, counted from one.
    pub(crate) line: usize,
}

impl NamedPath {
    /// True when the path is, or begins with, these segments.
    pub(crate) fn starts_with(&self, segments: &[&str]) -> bool {
        self.segments.len() >= segments.len()
            && self.segments.iter().zip(segments).all(|(have, want)| have == want)
    }
}

/// Every path of two and more segments, with the groups of `use` written out.
pub(crate) fn of(tokens: TokenStream) -> Vec<NamedPath> {
    let mut found = Vec::new();
    walk(tokens, &[], &mut found);
    found.retain(|path| path.segments.len() > 1);
    found
}

/// Reads one level of tokens; `prefix` is the path before a group of `use`.
fn walk(tokens: TokenStream, prefix: &[String], found: &mut Vec<NamedPath>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        rest = match first {
            TokenTree::Ident(_) => path(rest, prefix, found),
            TokenTree::Group(group) => {
                walk(group.stream(), &[], found);
                after
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => after,
        };
    }
}

/// Reads one path at the start of the tokens and yields what follows it.
fn path<'t>(
    mut tokens: &'t [TokenTree],
    prefix: &[String],
    found: &mut Vec<NamedPath>,
) -> &'t [TokenTree] {
    let mut segments = prefix.to_vec();
    let line = tokens.first().map_or(0, |token| token.span().start().line);
    while let [TokenTree::Ident(segment), after @ ..] = tokens {
        segments.push(segment.to_string());
        tokens = after;
        let Some(after) = after_colons(tokens) else { break };
        tokens = after;
        if let [TokenTree::Group(group), after @ ..] = tokens
            && group.delimiter() == Delimiter::Brace
        {
            walk(group.stream(), &segments, found);
            return after;
        }
    }
    found.push(NamedPath { segments, line });
    tokens
}

fn after_colons(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    match tokens {
        [TokenTree::Punct(a), TokenTree::Punct(b), after @ ..]
            if a.as_char() == ':' && b.as_char() == ':' =>
        {
            Some(after)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
