use super::*;
use crate::{
    control::status::kind::Kind,
    mesh::{
        condition::{Condition, WAYPOINT_BOUND},
        object::ObjectName,
    },
};

fn entry(reason: &str) -> Entry {
    Entry::new(&Condition::new(WAYPOINT_BOUND, true, reason, ""), Some(1))
}

fn wanted(to_say: &str, says: &str) -> Wanted {
    let entries = |reason: &str| if reason.is_empty() { vec![] } else { vec![entry(reason)] };
    Wanted {
        kind: Kind::Service,
        object: ObjectRef::new("Service", ObjectName::new("a", "s")),
        uid: Some("one".to_owned()),
        entries: entries(to_say),
        current: entries(says),
    }
}

fn write(ledger: &mut Ledger, wanted: &Wanted, outcome: Outcome, now: Instant) -> Option<Instant> {
    assert_eq!(ledger.due(wanted, now), Due::Now);
    ledger.started(wanted);
    assert_eq!(ledger.due(wanted, now), Due::Never, "it is under way");
    ledger.finished(&wanted.object, outcome, now)
}

#[test]
fn what_is_said_already_is_not_written() {
    let now = Instant::now();
    assert_eq!(Ledger::default().due(&wanted("A", "A"), now), Due::Never);
    assert_eq!(Ledger::default().due(&wanted("", ""), now), Due::Never);
}

#[test]
fn what_was_written_is_not_written_again_before_the_source_shows_it() {
    let (mut ledger, now) = (Ledger::default(), Instant::now());
    assert_eq!(write(&mut ledger, &wanted("A", ""), Outcome::Written, now), None);
    assert_eq!(ledger.due(&wanted("A", ""), now), Due::Never);
    assert_eq!(ledger.due(&wanted("A", "A"), now), Due::Never);
    assert_eq!(ledger.due(&wanted("B", "A"), now), Due::Now, "there is something else to say");
}

#[test]
fn an_object_that_was_made_again_is_written_again() {
    let (mut ledger, now) = (Ledger::default(), Instant::now());
    write(&mut ledger, &wanted("A", ""), Outcome::Written, now);
    let again = Wanted { uid: Some("two".to_owned()), ..wanted("A", "") };
    assert_eq!(ledger.due(&again, now), Due::Now);
}

#[test]
fn what_fails_is_tried_again_ever_more_rarely() {
    let (mut ledger, mut now) = (Ledger::default(), Instant::now());
    let mut waits = Vec::new();
    for _ in 0..12 {
        let next = write(&mut ledger, &wanted("A", ""), Outcome::Failed, now).unwrap();
        assert_eq!(ledger.due(&wanted("A", ""), now), Due::At(next));
        waits.push(next - now);
        now = next;
    }
    assert!(waits.is_sorted());
    assert_eq!(waits[0], RETRY_MIN * 2);
    assert_eq!(waits[11], RETRY_MIN * 1024);
}

#[test]
fn another_controller_wins_in_the_end() {
    let (mut ledger, now) = (Ledger::default(), Instant::now());
    let mut writes = 0;
    loop {
        match ledger.due(&wanted("A", "theirs"), now) {
            Due::Now => {}
            Due::Contested => break,
            other => panic!("{other:?}"),
        }
        ledger.started(&wanted("A", "theirs"));
        ledger.finished(&wanted("A", "theirs").object, Outcome::Written, now);
        assert_eq!(ledger.due(&wanted("A", "A"), now), Due::Never);
        writes += 1;
    }
    assert_eq!(writes, OVERWRITTEN_MAX + 1);
    assert_eq!(ledger.due(&wanted("A", "theirs"), now), Due::Never);
    assert_eq!(ledger.due(&wanted("B", "theirs"), now), Due::Now, "there is something else to say");
}

#[test]
fn a_second_write_of_an_object_waits_for_the_first() {
    let (mut ledger, now) = (Ledger::default(), Instant::now());
    ledger.started(&wanted("A", ""));
    assert_eq!(ledger.due(&wanted("B", ""), now), Due::At(now + RETRY_MIN));
    ledger.retain(&HashSet::new());
    assert_eq!(ledger.due(&wanted("B", ""), now), Due::At(now + RETRY_MIN), "it is under way");
}
