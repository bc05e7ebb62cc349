use super::*;

/// The milliseconds before a try, at least and at most.
fn room(retry: Option<&Retry>, number: u32) -> (u128, u128) {
    let least = backoff(retry, number, &mut |_| 0);
    let most = backoff(retry, number, &mut |bound| bound - 1);
    (least.as_millis(), most.as_millis())
}

#[test]
fn tries_come_ever_later_but_not_without_end() {
    assert_eq!(room(None, 1), (0, 50));
    assert_eq!(room(None, 2), (0, 100));
    assert_eq!(room(None, 30), (0, 250));
    assert_eq!(room(None, u32::MAX), (0, 250));
}

#[test]
fn no_try_comes_before_the_time_that_a_route_names() {
    let backoff = Some(Duration::from_millis(100));
    let retry = Retry { codes: vec![], attempts: 3, backoff };
    assert_eq!(room(Some(&retry), 1), (100, 200));
    assert_eq!(room(Some(&retry), 2), (100, 400));
    assert_eq!(room(Some(&retry), 9), (100, 1000));
}
