//! Regular expressions of routes. The input is a line with the expression, then a text.
//!
//! Any text may stand for an expression, and one that is taken matches exactly what its syntax tree
//! between two anchors matches: no spelling escapes from the anchors.
#![no_main]

use libfuzzer_sys::fuzz_target;
use regex_automata::{meta, util::syntax};
use regex_syntax::hir::{Hir, Look};
use waypoint_user::mesh::pattern::{Regex, StringMatch};

fuzz_target!(|text: &str| {
    let (pattern, text) = text.split_once('\n').unwrap_or((text, ""));
    let simple = StringMatch::parse(pattern);
    assert!(!simple.matches(text) || text.len() >= pattern.replace('*', "").len());
    if let Ok(regex) = Regex::new(pattern) {
        assert_eq!(regex.as_str(), pattern);
        if let Some(whole) = anchored(pattern) {
            assert_eq!(regex.matches(text), whole.is_match(text.as_bytes()));
        }
    }
});

/// The expression between anchors, put together as a tree.
fn anchored(pattern: &str) -> Option<meta::Regex> {
    let inner = syntax::parse(pattern).ok()?;
    let whole = Hir::concat(vec![Hir::look(Look::Start), inner, Hir::look(Look::End)]);
    meta::Builder::new().build_from_hir(&whole).ok()
}
