use super::*;

fn labels(all: &[(&str, &str)]) -> Labels {
    all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn selects(requirement: Requirement, all: &[(&str, &str)]) -> bool {
    Selector { requirements: vec![requirement] }.matches(&labels(all))
}

#[test]
fn an_empty_selector_selects_everything() {
    assert!(Selector::default().matches(&labels(&[])));
    assert!(Selector::equals(&labels(&[])).matches(&labels(&[("a", "1")])));
}

#[test]
fn labels_select_what_carries_them_all() {
    let selector = Selector::equals(&labels(&[("a", "1"), ("b", "2")]));
    assert!(selector.matches(&labels(&[("a", "1"), ("b", "2"), ("c", "3")])));
    assert!(!selector.matches(&labels(&[("a", "1")])));
    assert!(!selector.matches(&labels(&[("a", "1"), ("b", "3")])));
}

#[test]
fn requirements_treat_an_absent_key_as_kubernetes_does() {
    let values = || vec!["1".to_owned(), "2".to_owned()];
    let is_in = || Requirement::In("a".into(), values());
    let not_in = || Requirement::NotIn("a".into(), values());
    let exists = || Requirement::Exists("a".into());
    let absent = || Requirement::DoesNotExist("a".into());
    let cases = [
        (("a", "2"), [true, false, true, false]),
        (("a", "3"), [false, true, true, false]),
        (("b", "1"), [false, true, false, true]),
    ];
    for (label, expected) in cases {
        let selected = [is_in(), not_in(), exists(), absent()].map(|one| selects(one, &[label]));
        assert_eq!(selected, expected, "{label:?}");
    }
}
