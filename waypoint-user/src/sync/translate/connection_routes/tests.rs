use super::*;

#[test]
fn names_of_servers_are_hosts_or_wildcards() {
    for (name, expected) in [
        ("example.com", Some("example.com")),
        ("*.Example.com", Some("*.example.com")),
        ("*.com", Some("*.com")),
        ("localhost", Some("localhost")),
        ("*", None),
        ("", None),
        ("a.*.com", None),
        ("*.*.com", None),
        ("*a.com", None),
        ("-a.com", None),
        ("a-.com", None),
        ("a..com", None),
        ("192.0.2.1", None),
        ("a_b.com", None),
    ] {
        assert_eq!(hostname(name).ok().as_deref(), expected, "{name:?}");
    }
}
