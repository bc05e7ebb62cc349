use proptest::prelude::*;

use super::*;

#[test]
fn envoys_examples_are_read() {
    let text = "By=http://frontend.lyft.com;Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0\
                748a02dd8de688;Subject=\"/C=US/ST=CA/L=San Francisco/OU=Lyft/CN=Test Client\";\
                URI=http://testclient.lyft.com,By=http://backend.lyft.com;Hash=9ba61d6425303443c074\
                8a02dd8de688468ed33be74eee6556d90c0149c1309e;URI=http://frontend.lyft.com";
    let elements = parse(text).unwrap();
    assert_eq!(elements.len(), 2);
    assert_eq!(elements[0].by, ["http://frontend.lyft.com"]);
    let subject = "/C=US/ST=CA/L=San Francisco/OU=Lyft/CN=Test Client";
    assert_eq!(elements[0].subject.as_deref(), Some(subject));
    assert_eq!(elements[1].uri, ["http://frontend.lyft.com"]);
    assert_eq!(elements.iter().map(ToString::to_string).collect::<Vec<_>>().join(","), text);
}

#[test]
fn quotes_hide_separators() {
    let text = r#"By=spiffe://td/ns/a/sa/b;Subject="O=\"x, y\";z";URI="a,b";Unknown=1;DNS=c;DNS=d"#;
    let elements = parse(text).unwrap();
    assert_eq!(elements.len(), 1);
    assert_eq!(elements[0].subject.as_deref(), Some(r#"O="x, y";z"#));
    assert_eq!(
        (&elements[0].uri[..], &elements[0].dns[..]),
        (&["a,b".into()][..], &["c".into(), "d".into()][..])
    );
}

#[test]
fn what_is_malformed_is_not_read() {
    for text in ["By", "=x", "By=\"open", "By=x;", "By=x,", "B y=z", "By=\"x\"y", "By=x\"y"] {
        assert_eq!(parse(text), None, "{text}");
    }
    assert_eq!(parse(&"By=x,".repeat(100)), None);
    assert_eq!(parse(""), Some(Vec::new()));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        by in proptest::collection::vec("[^\\x00-\\x1f]{1,20}", 1..3),
        uri in proptest::collection::vec("\\PC{1,20}", 0..3),
        subject in proptest::option::of("[a-z,;=\"\\\\ ]{1,20}"),
    ) {
        let element = Element { by, subject, uri, ..Element::default() };
        let twice = format!("{element},{element}");
        prop_assert_eq!(parse(&twice), Some(vec![element.clone(), element]));
    }
}
