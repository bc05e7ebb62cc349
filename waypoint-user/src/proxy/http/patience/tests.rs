use std::{future::poll_fn, time::Duration};

use tokio::time::timeout_at;

use super::*;

#[tokio::test(start_paused = true)]
async fn silence_is_waited_for_longer_than_the_rest_of_a_head() {
    let start = Instant::now();
    let mut patience = Patience::new();
    poll_fn(|cx| patience.poll(cx)).await;
    assert_eq!(start.elapsed(), REQUEST_TIMEOUT);

    patience.renew();
    let first_bytes = Instant::now() + Duration::from_mins(10);
    assert!(timeout_at(first_bytes, poll_fn(|cx| patience.poll(cx))).await.is_err());
    patience.hurry();
    poll_fn(|cx| patience.poll(cx)).await;
    assert_eq!(first_bytes.elapsed(), HEAD_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn slow_bytes_do_not_extend_the_time_and_the_next_head_starts_anew() {
    let mut patience = Patience::new();
    let start = Instant::now();
    for second in 1..=HEAD_TIMEOUT.as_secs() {
        patience.hurry();
        let next = start + Duration::from_secs(second);
        let waited = timeout_at(next, poll_fn(|cx| patience.poll(cx))).await;
        assert!(waited.is_err() || second == HEAD_TIMEOUT.as_secs());
    }
    patience.renew();
    let soon = Instant::now() + 2 * HEAD_TIMEOUT;
    assert!(timeout_at(soon, poll_fn(|cx| patience.poll(cx))).await.is_err());
}
