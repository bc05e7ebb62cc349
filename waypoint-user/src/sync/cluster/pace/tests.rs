use super::*;

#[test]
fn tries_become_slower_and_differ_from_one_to_the_next() {
    let pace = Pace::default();
    for (failures, longest) in [(1, 100), (2, 200), (3, 400), (30, 10_000), (u32::MAX, 10_000)] {
        let longest = Duration::from_millis(longest);
        let waits: Vec<_> = (0..20).map(|_| pace.retry(failures)).collect();
        assert!(waits.iter().all(|wait| *wait <= longest && *wait >= longest / 2), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
    }
}
