use std::sync::atomic::Ordering;

use super::*;
use crate::{hbone::limits::WINDOW_GROWTH_BYTES_MAX, telemetry::metrics::Registry};

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn a_window_grows_when_it_is_filled_faster_than_before() {
    let settings = Settings::default();
    let mut keeper = Keeper::new(None, &settings);
    let window = CONNECTION_WINDOW_BYTES as usize;
    assert_eq!(keeper.wanted(window / 2, MS), None, "half full");
    assert_eq!(keeper.wanted(window, MS), Some(2 * CONNECTION_WINDOW_BYTES));
    assert_eq!(keeper.wanted(window, MS), None, "half full again");
    assert_eq!(keeper.wanted(2 * window, 3 * MS), None, "slower: more would only queue");
    assert_eq!(keeper.wanted(2 * window, MS), Some(4 * CONNECTION_WINDOW_BYTES));
    assert_eq!(keeper.wanted(100 * window, MS), Some(CONNECTION_WINDOW_BYTES_MAX));
    assert_eq!(keeper.wanted(1000 * window, MS), None, "as large as can be");
    let taken = (CONNECTION_WINDOW_BYTES_MAX - CONNECTION_WINDOW_BYTES) as usize;
    assert_eq!(settings.growth.load(Ordering::Relaxed), WINDOW_GROWTH_BYTES_MAX - taken);
    drop(keeper);
    assert_eq!(settings.growth.load(Ordering::Relaxed), WINDOW_GROWTH_BYTES_MAX);
}

#[tokio::test]
async fn what_all_may_grow_by_is_bounded() {
    let registry = Registry::new();
    let settings = Settings::new(&registry);
    settings.growth.store(CONNECTION_WINDOW_BYTES as usize, Ordering::Relaxed);
    let (mut one, mut other) = (Keeper::new(None, &settings), Keeper::new(None, &settings));
    let window = CONNECTION_WINDOW_BYTES as usize;
    assert_eq!(one.wanted(window, MS), Some(2 * CONNECTION_WINDOW_BYTES));
    assert_eq!(other.wanted(window, MS), None);
    assert!(
        registry.encode().contains("waypoint_limit_hits_total{limit=\"hbone_window_growth\"} 1")
    );
    drop(one);
    assert_eq!(other.wanted(window, MS), Some(2 * CONNECTION_WINDOW_BYTES));
}
