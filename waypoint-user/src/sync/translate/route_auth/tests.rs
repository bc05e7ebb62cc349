use super::*;

#[test]
fn a_path_is_one_that_can_be_asked_for() {
    for right in ["/", "/check", "/check/", "/a/%3C/b;c"] {
        assert!(is_path(right), "{right}");
    }
    for wrong in ["check", "/a<b", "/a b", "/a?b", "/a#b", "/\u{e9}", "*", ""] {
        assert!(!is_path(wrong), "{wrong}");
    }
}
