use std::path::PathBuf;

use super::{Error, Plan};
use crate::kernel::Settings;

#[test]
fn a_link_name_that_the_kernel_would_take_is_taken() {
    for name in ["wpd0", "fifteen-bytes-x", "eth0.100"] {
        assert_eq!(Plan::of(&settings(name)).unwrap().link, name);
    }
}

#[test]
fn a_link_name_that_no_link_can_have_is_refused_before_anything_is_made() {
    for name in ["", ".", "..", "sixteen-bytes-xx", "a b", "a/b", "a:b", "all", "default"] {
        assert!(matches!(Plan::of(&settings(name)), Err(Error::LinkName(_))), "{name:?}");
    }
}

#[test]
fn agents_with_different_run_directories_have_different_namespaces() {
    let mut other = settings("wpd0");
    other.run_dir = PathBuf::from("/run/other");
    assert_ne!(Plan::of(&settings("wpd0")).unwrap().path, Plan::of(&other).unwrap().path);
}

fn settings(link: &str) -> Settings {
    Settings { link: link.to_owned(), ..Settings::default() }
}
