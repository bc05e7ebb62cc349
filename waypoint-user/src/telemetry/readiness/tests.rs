use super::*;

#[test]
fn readiness_needs_every_gate_open() {
    let readiness = Readiness::new();
    let first = readiness.gate("first");
    let second = readiness.gate("second");
    first.open();
    assert!(!readiness.is_ready());
    assert_eq!(readiness.closed(), [("second", "starting".to_owned())]);
    second.open();
    assert!(readiness.is_ready());
    first.close("the path is broken");
    assert_eq!(readiness.closed(), [("first", "the path is broken".to_owned())]);
}

#[test]
fn a_part_that_ended_is_not_ready() {
    let readiness = Readiness::new();
    let gate = readiness.gate("part");
    gate.open();
    drop(gate);
    assert_eq!(readiness.closed(), [("part", "ended".to_owned())]);
}
