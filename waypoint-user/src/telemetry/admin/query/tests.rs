use super::*;

#[test]
fn values_are_without_their_escapes() {
    let query = "pod=shop%2Fweb&host=%5Bfd00%3A%3A1%5D&port=80&empty=&odd=%2&odd2=%+1";
    let cases = [
        ("pod", Some("shop/web")),
        ("host", Some("[fd00::1]")),
        ("port", Some("80")),
        ("empty", None),
        ("absent", None),
        ("odd", Some("%2")),
        ("odd2", Some("%+1")),
    ];
    for (key, expected) in cases {
        assert_eq!(value(query, key).as_deref(), expected, "{key}");
    }
}
