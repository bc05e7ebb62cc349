use super::*;

#[test]
fn a_kind_that_was_there_is_gone_after_several_answers_only() {
    let mut presence = Presence::Served;
    for _ in 0..VANISHED {
        presence = presence.denied();
        assert_ne!(presence, Presence::Absent);
    }
    assert_eq!(presence.denied(), Presence::Absent);
    assert_eq!(Presence::Unknown.denied(), Presence::Absent);
}
