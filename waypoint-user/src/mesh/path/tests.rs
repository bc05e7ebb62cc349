use proptest::prelude::*;

use super::*;

#[test]
fn paths_come_to_their_normal_form() {
    let cases = [
        // Dot segments.
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("/.", "/"),
        ("/a//../b", "/a/b"),
        // Escaped dots are dots.
        ("/a/%2e%2E/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/a/%2e/b", "/a/b"),
        // Backslashes are slashes.
        ("/a\\..\\b", "/b"),
        ("/\\a", "//a"),
        // Unreserved characters need no escape, others keep theirs.
        ("/%61dmin", "/admin"),
        ("/%7Euser", "/~user"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%2fb", "/a%2fb"),
        ("/a%5C..", "/a%5C.."),
        ("/%252e%252e", "/%252e%252e"),
        ("/%25%32%65", "/%252e"),
        // Malformed escapes stay.
        ("/%", "/%"),
        ("/%4", "/%4"),
        ("/%+1", "/%+1"),
        ("/%é", "/%é"),
        // Nothing to do.
        ("/", "/"),
        ("//a//", "//a//"),
        ("/...", "/..."),
        ("/.well-known/x", "/.well-known/x"),
        ("/a..b/c.", "/a..b/c."),
        ("*", "*"),
        ("", ""),
    ];
    for (path, expected) in cases {
        assert_eq!(normalize(path), expected, "{path}");
    }
}

#[test]
fn a_path_in_normal_form_is_not_copied() {
    assert!(matches!(normalize("/a/b.c/d"), Cow::Borrowed(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn normalising_twice_is_normalising_once(path in "/(a|\\.|/|%2e|%2E|%25|%|2|e|\\\\|é){0,10}") {
        let once = normalize(&path).into_owned();
        prop_assert_eq!(normalize(&once).into_owned(), once);
    }

    #[test]
    fn no_dot_segment_is_left(path in "/(a|\\.|/|%2e|%2E|%25|%|\\\\){0,10}") {
        let normal = normalize(&path).into_owned();
        prop_assert!(normal.starts_with('/'));
        prop_assert!(!normal.split('/').any(|segment| matches!(segment, "." | "..")));
        prop_assert!(!normal.contains('\\'));
    }
}
