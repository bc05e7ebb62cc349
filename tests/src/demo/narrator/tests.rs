use super::wrap;

#[test]
fn a_text_is_broken_at_spaces() {
    assert_eq!(wrap("one two  three\nfour", 9), "one two\nthree\nfour");
    assert_eq!(wrap("unbreakable", 3), "unbreakable");
}
