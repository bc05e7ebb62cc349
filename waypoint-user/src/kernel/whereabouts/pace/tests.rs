use super::*;

#[test]
fn looks_grow_apart_until_something_is_new() {
    let (mut pace, start) = (Pace::default(), Instant::now());
    assert!(pace.is_due(start));
    let (mut now, mut pauses) = (start, Vec::new());
    for _ in 0..10 {
        pace.looked(now);
        let waited = (0..).map(|tenths| Duration::from_millis(100 * tenths));
        let pause = waited.into_iter().find(|waited| pace.is_due(now + *waited)).unwrap();
        pauses.push(pause);
        now += pause;
    }
    assert_eq!(pauses[0], PAUSE_MIN * 2);
    assert!(pauses.is_sorted() && pauses[9] == PAUSE_MAX, "{pauses:?}");
    pace.hurry();
    pace.looked(now);
    assert!(!pace.is_due(now + PAUSE_MIN));
    assert!(pace.is_due(now + PAUSE_MIN * 2));
}
