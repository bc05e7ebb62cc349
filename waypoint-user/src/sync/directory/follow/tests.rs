use inotify::Event;

use super::*;

#[tokio::test]
async fn an_overflow_means_that_any_file_may_have_changed() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut follower = Follower::new(&Place::new(here)).unwrap();
    let wd = follower.events.watches().add(here, WatchMask::CREATE).unwrap();
    follower.collect(Ok(Event { wd, mask: EventMask::Q_OVERFLOW, cookie: 0, name: None }));
    assert!(follower.changes.any && follower.changes.all);
}
