use futures_util::FutureExt;

use super::*;
use crate::{
    mesh::{object::ObjectName, traffic_policy::CircuitBreaker},
    proxy::regime::Regimes,
};

/// What two workers know of endpoints to which there may be so many connections.
fn workers(connections: u32) -> [Bounds; 2] {
    let regimes = Regimes::default();
    let most = CircuitBreaker { connections: Some(connections), ..CircuitBreaker::default() };
    let place = (ObjectName::new("a", "s"), 80);
    let breaker = regimes.breaker(&place, most, 0);
    [0, 1].map(|_| Bounds::new(Arc::clone(&breaker), None, Rc::default()))
}

#[test]
fn who_waits_hears_of_connections_of_its_own_worker() {
    let [one, other] = workers(1);
    let (held, of_other) = (one.connection().unwrap(), other.connection().unwrap());
    let idle = Cell::new(false);
    let mut first = Box::pin(other.turn(|| None::<()>, || {}));
    let mut second = Box::pin(one.turn(|| idle.get().then_some(()), || {}));
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    held.rest();
    idle.set(true);
    assert!((&mut first).now_or_never().is_none());
    assert!(matches!((&mut second).now_or_never(), Some(Ok(Turn::Kept(())))));
    // That one counted beyond the limit; the worker has no other now.
    drop(of_other);
    assert!(matches!((&mut first).now_or_never(), Some(Ok(Turn::New(..)))));
}

#[test]
fn who_does_not_need_what_was_freed_leaves_it_to_others() {
    let [one, other] = workers(2);
    let (held, of_other) = (one.connection().unwrap(), other.connection().unwrap());
    let more = other.connection();
    assert!(more.is_none());
    let idle = Cell::new(false);
    let mut first = Box::pin(one.turn(|| idle.get().then_some(()), || {}));
    let mut second = Box::pin(other.turn(|| None::<()>, || {}));
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    drop(held);
    idle.set(true);
    assert!(matches!((&mut first).now_or_never(), Some(Ok(Turn::Kept(())))));
    assert!(matches!((&mut second).now_or_never(), Some(Ok(Turn::New(..)))));
    drop(of_other);
}

#[test]
fn what_nobody_uses_is_closed_for_who_waits() {
    let [one, _] = workers(1);
    let held = Cell::new(one.connection());
    let close = || drop(held.take());
    let mut waits = Box::pin(one.turn(|| None::<()>, close));
    assert!((&mut waits).now_or_never().is_none(), "it is in use");
    let used = held.take().unwrap();
    used.rest();
    held.set(Some(used));
    assert!(matches!((&mut waits).now_or_never(), Some(Ok(Turn::New(..)))));
}
