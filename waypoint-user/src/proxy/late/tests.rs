use super::*;

#[test]
fn only_so_many_wait_at_a_time() {
    let waiting = Waiting::default();
    let mut turns: Vec<Option<Turn>> = (0..=BINDING_WAITS_MAX).map(|_| waiting.begin()).collect();
    assert!(turns.pop().unwrap().is_none());
    assert!(turns.iter().all(Option::is_some));
    drop(turns.pop());
    assert!(waiting.begin().is_some());
}
