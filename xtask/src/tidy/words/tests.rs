use std::path::Path;

use super::check;
use crate::tidy::source::Source;

fn count(text: &str) -> usize {
    let source = Source::parse(Path::new("waypoint-user/src/sync.rs"), text.to_owned()).unwrap();
    check(&source).len()
}

#[test]
fn notes_and_banners_are_refused() {
    assert_eq!(count(concat!("// TO", "DO: later\n")), 1);
    assert_eq!(count("// ------ parsing ------\n"), 1);
    assert_eq!(count("// Reads the whole directory.\n"), 0);
}

#[test]
fn an_issue_number_is_refused_unless_its_project_is_named() {
    assert_eq!(count("// See #12.\n"), 1);
    assert_eq!(count("// As in istio/istio#12.\n"), 0);
    assert_eq!(count("#[derive(Debug)]\nstruct A;\n"), 0);
}

#[test]
fn places_outside_the_repository_are_refused() {
    assert_eq!(count(concat!("// See ..", "/shared/design.\n")), 1);
    assert_eq!(count(concat!("const A: &str = \"/", "work/x\";\n")), 1);
}
