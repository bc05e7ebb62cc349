use tokio::time::{Instant as Clock, timeout_at};

use super::*;

const IDLE: Duration = Duration::from_hours(1);

#[tokio::test(start_paused = true)]
async fn silence_is_waited_for_longer_than_the_rest_of_a_head() {
    let patience = Patience::default();
    let start = Clock::now();
    patience.sleep(IDLE).await;
    assert_eq!(start.elapsed(), IDLE);

    let mut wait = patience.sleep(IDLE);
    let first_bytes = Clock::now() + Duration::from_mins(10);
    assert!(timeout_at(first_bytes, &mut wait).await.is_err());
    patience.heard();
    wait.await;
    assert_eq!(first_bytes.elapsed(), HEAD_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn slow_bytes_do_not_extend_the_time_and_the_next_head_starts_anew() {
    let patience = Patience::default();
    let mut wait = patience.sleep(IDLE);
    let start = Clock::now();
    for second in 1..=HEAD_TIMEOUT.as_secs() {
        patience.heard();
        let next = start + Duration::from_secs(second);
        assert!(timeout_at(next, &mut wait).await.is_err() || second == HEAD_TIMEOUT.as_secs());
    }
    let mut next = patience.sleep(IDLE);
    let soon = Clock::now() + 2 * HEAD_TIMEOUT;
    assert!(timeout_at(soon, &mut next).await.is_err());
}
