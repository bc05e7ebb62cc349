use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::*;

async fn late(patience: &mut Option<Pin<Box<Sleep>>>) {
    poll_fn(|cx| if is_late(patience, true, cx) { Poll::Ready(()) } else { Poll::Pending }).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_client_began_is_waited_for_as_long_as_a_head() {
    let (start, mut patience) = (Instant::now(), None);
    late(&mut patience).await;
    assert_eq!(start.elapsed(), HEAD_TIMEOUT);
    // What begins later has its own time.
    let is_late = poll_fn(|cx| Poll::Ready(is_late(&mut patience, false, cx))).await;
    assert!(!is_late);
    let soon = HEAD_TIMEOUT.saturating_sub(Duration::from_secs(1));
    assert!(timeout(soon, late(&mut patience)).await.is_err());
    late(&mut patience).await;
    assert_eq!(start.elapsed(), 2 * HEAD_TIMEOUT);
}
