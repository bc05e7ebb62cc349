use std::str::FromStr;

use proc_macro2::TokenStream;

use super::of;

fn paths(text: &str) -> Vec<String> {
    of(TokenStream::from_str(text).unwrap()).iter().map(|path| path.segments.join("::")).collect()
}

#[test]
fn groups_of_use_are_written_out() {
    assert_eq!(
        paths("use crate::{mesh::{Service, Workload}, sync::Feed};"),
        ["crate::mesh::Service", "crate::mesh::Workload", "crate::sync::Feed"]
    );
}

#[test]
fn paths_inside_macros_and_bodies_are_seen() {
    assert_eq!(
        paths("fn f() { println!(\"{}\", crate::kernel::x()); let y: aya::Pod = z; }"),
        ["crate::kernel::x", "aya::Pod"]
    );
}

#[test]
fn text_and_comments_are_not_paths() {
    assert!(paths("// crate::kernel\nconst A: &str = \"crate::kernel\";").is_empty());
}
