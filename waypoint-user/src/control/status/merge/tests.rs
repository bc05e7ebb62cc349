use super::*;

const REF: &str = "parentRef";
const NOW: &str = "2026-01-02T00:00:00Z";
const THEN: &str = "2026-01-01T00:00:00Z";

fn entry(kind: &str, status: &str, about: Option<Parent>) -> Entry {
    Entry {
        about,
        kind: kind.into(),
        status: status.into(),
        reason: "R".into(),
        message: "m".into(),
        generation: Some(2),
        since: None,
    }
}

fn item(kind: &str, status: &str, since: &str) -> Value {
    json!({
        "type": kind, "status": status, "reason": "R", "message": "m",
        "observedGeneration": 2, "lastTransitionTime": since,
    })
}

fn on(name: &str) -> Parent {
    let (group, kind) = (Some(String::new()), Some("Service".to_owned()));
    Parent { group, kind, name: name.into(), port: Some(80), ..Parent::default() }
}

#[test]
fn the_time_of_a_condition_changes_only_with_its_status() {
    let list = json!([item("A", "True", THEN), item("B", "True", THEN)]);
    let wanted = [entry("A", "True", None), entry("B", "False", None)];
    let merged = conditions(&list, &["A", "B"], &wanted, NOW);
    assert_eq!(merged, json!([item("A", "True", THEN), item("B", "False", NOW)]));
}

#[test]
fn conditions_of_others_stay_and_ours_go_with_their_reason() {
    let list = json!([item("Theirs", "True", THEN), item("A", "True", THEN)]);
    assert_eq!(conditions(&list, &["A"], &[], NOW), json!([item("Theirs", "True", THEN)]));
    assert_eq!(conditions(&Value::Null, &["A"], &[], NOW), json!([]));
}

#[test]
fn entries_of_other_controllers_stay_as_they_are() {
    let theirs = json!({
        "parentRef": {"group": "", "kind": "Service", "name": "s", "port": 80},
        "controllerName": "istio.io/gateway-controller",
        "conditions": [item("Accepted", "False", THEN)],
        "unknown": {"to": "us"},
    });
    let stale = json!({
        "parentRef": {"name": "gone"}, "controllerName": CONTROLLER,
        "conditions": [item("Accepted", "True", THEN)],
    });
    let list = json!([theirs, stale]);
    let merged = parents(&list, REF, &[entry("Accepted", "True", Some(on("s")))], NOW);
    let ours = json!({
        "parentRef": {"group": "", "kind": "Service", "name": "s", "port": 80},
        "controllerName": CONTROLLER,
        "conditions": [item("Accepted", "True", NOW)],
    });
    assert_eq!(merged, json!([theirs, ours]));
    assert_eq!(parents(&merged, REF, &[], NOW), json!([theirs]));
}

#[test]
fn what_was_written_reads_as_what_was_wanted() {
    let wanted =
        [entry("Accepted", "True", Some(on("s"))), entry("Accepted", "True", Some(on("t")))];
    let read = of_parents(&parents(&Value::Null, REF, &wanted, NOW), REF);
    assert!(super::super::entry::say_the_same(&read, &wanted));
    let fewer = of_parents(&parents(&Value::Null, REF, &wanted[..1], NOW), REF);
    assert!(!super::super::entry::say_the_same(&fewer, &wanted));
}
