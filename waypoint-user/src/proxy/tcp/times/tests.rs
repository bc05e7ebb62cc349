use std::time::Duration;

use tokio::time::timeout;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Waits until so much of the time that is paused has passed.
async fn passes(time: Duration) {
    timeout(time, pending::<()>()).await.unwrap_err();
}

fn times(idle: Option<u32>, most: Option<u32>) -> Times {
    let time = |seconds: Option<u32>| seconds.map(|seconds| SECOND * seconds);
    let limits = Timeouts {
        request: Some(SECOND),
        stream_idle: time(idle),
        max_stream_duration: time(most),
    };
    Times::new(limits)
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_moves_ends_so_long_after_the_last_byte() {
    let (times, began) = (times(Some(10), Some(60)), Instant::now());
    let moving = async {
        for _ in 0..3 {
            passes(SECOND * 7).await;
            times.moved();
        }
        pending::<()>().await;
    };
    tokio::select! {
        () = moving => {}
        fault = times.over(began) => assert_eq!(fault, Fault::Idle),
    }
    assert_eq!(began.elapsed().as_secs(), 31);
}

#[tokio::test(start_paused = true)]
async fn a_connection_ends_when_its_time_is_over_though_something_moves() {
    let (times, began) = (times(Some(10), Some(25)), Instant::now());
    let moving = async {
        loop {
            passes(SECOND * 3).await;
            times.moved();
        }
    };
    tokio::select! {
        () = moving => {}
        fault = times.over(began) => assert_eq!(fault, Fault::TooLate(Late::Stream)),
    }
    assert_eq!(began.elapsed().as_secs(), 25);
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_nothing_ends_it() {
    let times = times(None, None);
    assert!(timeout(SECOND * 100_000, times.over(Instant::now())).await.is_err());
}
