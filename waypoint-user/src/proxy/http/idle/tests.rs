use tokio::time::advance;

use super::*;

#[tokio::test(start_paused = true)]
async fn time_counts_from_when_something_moved_last() {
    let (progress, began) = (Rc::new(Progress::default()), Instant::now());
    let time = Duration::from_mins(5);
    let mut idle = Some(Idle::new(time, &progress));
    let moving = async {
        advance(Duration::from_mins(1)).await;
        progress.advance(1);
    };
    let (fault, ()) = tokio::join!(Idle::over(&mut idle), moving);
    assert_eq!(fault, Fault::Idle);
    let took = began.elapsed().as_secs();
    assert!((360..=361).contains(&took), "{took} seconds");
}
