use super::*;
use crate::identity::ca::Authority;

fn identity(account: &str) -> Arc<SpiffeId> {
    Arc::new(SpiffeId::new("cluster.local", "shop", account))
}

fn failure() -> Error {
    Error::NotIssued { identity: "x".to_owned(), cause: "no".to_owned() }
}

fn held(account: &str, lifetime: Duration) -> Arc<Credentials> {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    Arc::new(authority.credentials(&identity(account), lifetime).unwrap())
}

const DAY: Duration = Duration::from_hours(24);

#[test]
fn who_waits_comes_before_who_may_wait() {
    let now = Instant::now();
    let mut entries = Entries::default();
    entries.want(BTreeSet::from([identity("a"), identity("b"), identity("c")]), now);
    entries.hold(held("a", DAY), now);
    entries.ask(&identity("c"), Priority::RealTime, now).unwrap();
    let order: Vec<_> = std::iter::from_fn(|| entries.take_due(now)).collect();
    assert_eq!(order, [identity("c"), identity("b"), identity("a")]);
    assert_eq!(entries.next_due(), None);
}

#[test]
fn what_is_under_way_is_not_asked_for_again() {
    let now = Instant::now();
    let mut entries = Entries::default();
    entries.ask(&identity("a"), Priority::RealTime, now).unwrap();
    assert_eq!(entries.take_due(now), Some(identity("a")));
    entries.ask(&identity("a"), Priority::RealTime, now).unwrap();
    entries.want(BTreeSet::from([identity("a")]), now);
    assert_eq!(entries.take_due(now), None);
}

#[test]
fn what_nobody_wants_is_forgotten_at_once_or_with_its_answer() {
    let now = Instant::now();
    let mut entries = Entries::default();
    entries.want(BTreeSet::from([identity("a"), identity("b")]), now);
    assert!(entries.take_due(now + DAY).is_some());
    let gone = entries.want(BTreeSet::new(), now);
    assert_eq!(gone.len(), 1, "the one that was not under way");
    let under_way = if gone == [identity("a")] { "b" } else { "a" };
    assert!(!entries.hold(held(under_way, DAY), now), "nobody wants the answer");
    assert!(entries.0.is_empty());
}

#[test]
fn a_failed_renewal_leaves_what_holds() {
    let now = Instant::now();
    let mut entries = Entries::default();
    let status = entries.ask(&identity("a"), Priority::RealTime, now).unwrap();
    entries.take_due(now);
    entries.hold(held("a", DAY), now);
    entries.take_due(now);
    entries.fail(&identity("a"), failure(), now);
    assert!(matches!(&*status.borrow(), Status::Held(_)));
}

#[test]
fn a_first_failure_is_told_until_the_next_attempt_begins() {
    let now = Instant::now();
    let mut entries = Entries::default();
    let status = entries.ask(&identity("a"), Priority::RealTime, now).unwrap();
    entries.take_due(now);
    let wait = entries.fail(&identity("a"), failure(), now);
    assert!(matches!(&*status.borrow(), Status::Failed(_)));
    assert_eq!(entries.take_due(now), None, "it waits");
    assert_eq!(entries.take_due(now + wait), Some(identity("a")));
    assert!(matches!(&*status.borrow(), Status::Asked));
}

#[test]
fn waits_double_up_to_a_limit_give_or_take_a_fifth() {
    for (failures, seconds) in [(1, 0.5), (2, 1.0), (3, 2.0), (9, 128.0), (10, 150.0), (99, 150.0)]
    {
        let waits: Vec<f64> = (0..200).map(|_| backoff(failures).as_secs_f64()).collect();
        assert!(waits.iter().all(|wait| (seconds * 0.8..=seconds * 1.2).contains(wait)));
        let spread =
            waits.iter().copied().fold(0.0, f64::max) - waits.iter().copied().fold(999.0, f64::min);
        assert!(spread > seconds * 0.2, "there is jitter: {spread}");
    }
}

#[test]
fn too_many_identities_are_refused() {
    let now = Instant::now();
    let mut entries = Entries::default();
    let many = (0..IDENTITIES_MAX).map(|n| identity(&n.to_string())).collect();
    entries.want(many, now);
    assert!(entries.ask(&identity("one more"), Priority::RealTime, now).is_none());
    assert!(entries.ask(&identity("1"), Priority::RealTime, now).is_some());
}
