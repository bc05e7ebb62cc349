use super::*;
use crate::mesh::{
    condition::{ACCEPTED, Parent, WAYPOINT_BOUND},
    object::ObjectName,
};

fn object(name: &str) -> ObjectRef {
    ObjectRef::new("Service", ObjectName::new("default", name))
}

fn finding(severity: Severity, reason: &str) -> Finding {
    Finding { severity, reason: reason.into(), message: String::new() }
}

fn reasons<'a>(findings: impl Iterator<Item = (&'a ObjectRef, &'a Finding)>) -> Vec<String> {
    findings.map(|(object, finding)| format!("{object}: {}", finding.reason)).collect()
}

#[test]
fn the_same_finding_about_the_same_object_counts_once() {
    let mut report = Report::default();
    for name in ["b", "a", "a"] {
        report.add(object(name), finding(Severity::Notice, "Odd"));
    }
    assert_eq!(reasons(report.iter()), ["Service default/a: Odd", "Service default/b: Odd"]);
}

#[test]
fn what_is_new_since_an_earlier_report_is_told() {
    let mut earlier = Report::default();
    earlier.add(object("a"), finding(Severity::Notice, "Odd"));
    let mut later = earlier.clone();
    later.add(object("a"), finding(Severity::Notice, "Odder"));
    later.add(object("b"), finding(Severity::Notice, "Odd"));
    let new = ["Service default/a: Odder", "Service default/b: Odd"];
    assert_eq!(reasons(later.since(&earlier)), new);
    assert!(reasons(earlier.since(&later)).is_empty());
}

#[test]
fn a_report_is_as_grave_as_its_gravest_finding() {
    let mut report = Report::default();
    assert_eq!(report.worst(), None);
    report.add(object("a"), finding(Severity::Warning, "Odd"));
    report.add(object("b"), finding(Severity::Error, "Wrong"));
    report.add(object("c"), finding(Severity::Accepted, "Fine"));
    assert_eq!(report.worst(), Some(Severity::Error));
}

#[test]
fn severities_print_padded_for_tables() {
    assert_eq!(format!("{:8}|", Severity::Accepted), "ok      |");
    let rising = [Severity::Accepted, Severity::Notice, Severity::Warning, Severity::Error];
    assert!(rising.is_sorted());
    assert_eq!(rising.map(|one| one.to_string()), ["ok", "notice", "warning", "error"]);
}

#[test]
fn an_object_has_one_condition_of_a_type_for_each_parent() {
    let mut report = Report::default();
    let (one, other) = (Parent::default(), Parent { port: Some(80), ..Parent::default() });
    for (reason, parent) in [("A", &one), ("B", &other), ("C", &one)] {
        report.set(object("a"), Condition::new(ACCEPTED, true, reason, "").of(parent));
    }
    report.set(object("a"), Condition::new(WAYPOINT_BOUND, false, "D", ""));
    let of = report.conditions_of(&object("a")).iter();
    assert_eq!(of.map(|one| one.reason.as_str()).collect::<Vec<_>>(), ["C", "B", "D"]);
    assert!(report.conditions_of(&object("b")).is_empty());
}
