use std::path::Path;

use super::check;
use crate::tidy::source::Source;

fn complaints(text: &str) -> Vec<String> {
    let source = Source::parse(Path::new("waypoint-user/src/sync.rs"), text.to_owned()).unwrap();
    check(&source).iter().map(ToString::to_string).collect()
}

fn function_of(lines: usize) -> String {
    format!("fn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2))
}

#[test]
fn a_function_ends_within_sixty_lines() {
    assert!(complaints(&function_of(60)).is_empty());
    assert_eq!(complaints(&function_of(61)).len(), 1);
}

#[test]
fn a_file_ends_within_four_hundred_lines_unless_it_is_a_table() {
    let long = "const A: u32 = 1;\n".repeat(401);
    assert_eq!(complaints(&long).len(), 1);
    assert!(complaints(&format!("// tidy: table\n{long}")).is_empty());
}

#[test]
fn a_line_ends_within_a_hundred_columns() {
    assert_eq!(complaints(&format!("// {}\n", "a".repeat(98))).len(), 1);
}

#[test]
fn a_function_takes_five_parameters() {
    assert!(complaints("fn f(a: A, b: A, c: A, d: A, e: A) {}").is_empty());
    let six = "fn f(a: A, b: A, c: A, d: A, e: A, f: A) {}";
    assert_eq!(complaints(six).len(), 1);
    assert_eq!(complaints(&format!("impl S {{\n    {six}\n}}\n")).len(), 1);
    assert!(complaints(&format!("impl T for S {{\n    {six}\n}}\n")).is_empty());
}

#[test]
fn a_function_is_four_levels_deep() {
    let deep = |levels: usize| {
        let mut body = "b();".to_owned();
        for level in (1..=levels).rev() {
            let (outer, inner) = ("    ".repeat(level), "    ".repeat(level + 1));
            body = format!("if a {{\n{inner}{body}\n{outer}}}");
        }
        format!("fn f() {{\n    {body}\n}}\n")
    };
    assert!(complaints(&deep(4)).is_empty());
    assert_eq!(complaints(&deep(5)).len(), 1);
}

#[test]
fn the_lines_of_a_text_are_not_indentation() {
    assert!(
        complaints("fn f() {\n    a(\"x\n                                     y\");\n}\n")
            .is_empty()
    );
}
