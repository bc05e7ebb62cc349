use proptest::prelude::*;

use super::*;

#[test]
fn documents_are_told_apart_and_know_their_lines() {
    let text = "# a comment\nkind: A\n---\n---\n# nothing\n---\nkind: B\nname: yes\n";
    let documents = parse(text.as_bytes()).unwrap();
    let seen: Vec<_> =
        documents.iter().map(|document| (document.line, document.value.to_string())).collect();
    assert_eq!(
        seen,
        [(2, r#"{"kind":"A"}"#.to_owned()), (7, r#"{"kind":"B","name":"yes"}"#.to_owned())]
    );
}

#[test]
fn json_is_read_as_well() {
    let documents = parse(br#"{"kind": "A", "port": 80}"#).unwrap();
    assert_eq!(documents[0].value, serde_json::json!({"kind": "A", "port": 80}));
    let documents = parse(b"{\n\t\"kind\": \"\\u00e9\\/\",\r\n\t\"a\": [1,2]\n}\n").unwrap();
    assert_eq!(documents[0].value, serde_json::json!({"kind": "\u{e9}/", "a": [1, 2]}));
}

#[test]
fn the_items_of_a_list_are_documents() {
    let text = "kind: List\nitems:\n- kind: A\n- kind: List\n  items:\n  - kind: B\n";
    let kinds: Vec<_> = parse(text.as_bytes())
        .unwrap()
        .into_iter()
        .map(|document| document.value["kind"].clone())
        .collect();
    assert_eq!(kinds, ["A", "B"]);
}

#[test]
fn an_error_names_its_line() {
    let error = parse(b"kind: A\n---\nkind: [B\n").unwrap_err();
    assert!(error.line >= 3, "{error}");
    assert!(!error.message.contains('\n'), "{error}");
    let error = parse(b"kind: A\nname: \xff\n").unwrap_err();
    assert_eq!((error.line, error.message.as_str()), (2, "not UTF-8"));
}

#[test]
fn a_thousand_documents_are_within_the_limits() {
    let text = "---\nkind: A\nspec: {a: [1, 2, 3]}\n".repeat(5_000);
    assert_eq!(parse(text.as_bytes()).unwrap().len(), 5_000);
}

#[test]
fn aliases_do_not_multiply_without_limit() {
    let lines = ["b", "c", "d", "e", "f", "g", "h"].iter().zip("abcdefg".chars());
    let tenfold = lines.map(|(name, before)| {
        format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 10].join(", "))
    });
    let text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned() + &tenfold.collect::<String>();
    assert!(parse(text.as_bytes()).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_yaml_like_text_makes_it_panic(text in "[a-z:{}\\[\\]&*!|>\"'#%@ \n\t-]{0,200}") {
        let _ = parse(text.as_bytes());
    }
}
