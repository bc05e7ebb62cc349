use super::*;

#[test]
fn tries_become_slower_and_differ_from_one_to_the_next() {
    let pace = Pace::default();
    let cases = [
        (1, false, 100),
        (2, false, 200),
        (3, true, 400),
        (30, false, 2_000),
        (u32::MAX, false, 2_000),
        // What is forbidden will be for long.
        (30, true, 10_000),
    ];
    for (failures, is_denied, longest) in cases {
        let longest = Duration::from_millis(longest);
        let waits: Vec<_> = (0..20).map(|_| pace.retry(failures, is_denied)).collect();
        assert!(waits.iter().all(|wait| *wait <= longest && *wait >= longest / 2), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
    }
}
