//! How well endpoints answer, and which are left out for a while.
//!
//! What is too bad, and for how long, is decided by `balance::ejection`.
//!
//! **Invariant:** an answer changes counters only; a lock is taken when an endpoint may have to be
//! ejected, and once an interval.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    balance::ejection::{self, Answers},
    mesh::traffic_policy::OutlierDetection,
};

/// The health of the endpoints of a Service's port.
#[derive(Debug)]
pub(in crate::proxy) struct ClusterHealth {
    rules: OutlierDetection,
    hosts: Mutex<HashMap<SocketAddr, Arc<Health>>>,
    /// When the last endpoint comes back.
    until: AtomicU64,
    /// When success rates are looked at next.
    next: AtomicU64,
}

/// The health of an endpoint.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Health {
    failed: AtomicU32,
    failed_as_gateway: AtomicU32,
    all: AtomicU32,
    good: AtomicU32,
    /// How often it was ejected, less the intervals in which it was not.
    times: AtomicU32,
    /// When it comes back.
    until: AtomicU64,
}

/// How an endpoint answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::proxy) enum Outcome {
    /// As it should.
    Good,
    /// With 500 or above.
    Failed,
    /// With 502, 503 or 504, or not at all.
    FailedAsGateway,
}

impl Outcome {
    /// What a status says.
    pub(in crate::proxy) const fn of_status(status: u16) -> Self {
        match status {
            502..=504 => Self::FailedAsGateway,
            500.. => Self::Failed,
            _ => Self::Good,
        }
    }
}

impl Health {
    /// Whether it is left out now.
    pub(in crate::proxy) fn is_ejected(&self, now: Duration) -> bool {
        self.until.load(Relaxed) > millis(now)
    }

    /// Counts an answer, and says how many failures there were in a row: of any kind, and as
    /// gateways tell them.
    fn count(&self, outcome: Outcome) -> (u32, u32) {
        self.all.fetch_add(1, Relaxed);
        if outcome == Outcome::Good {
            self.good.fetch_add(1, Relaxed);
            self.failed.store(0, Relaxed);
            self.failed_as_gateway.store(0, Relaxed);
            return (0, 0);
        }
        let failed = self.failed.fetch_add(1, Relaxed).saturating_add(1);
        if outcome == Outcome::Failed {
            self.failed_as_gateway.store(0, Relaxed);
            return (failed, 0);
        }
        (failed, self.failed_as_gateway.fetch_add(1, Relaxed).saturating_add(1))
    }

    /// Takes what was answered since it was asked last.
    fn take(&self) -> Answers {
        let all = self.all.swap(0, Relaxed);
        Answers { all, good: self.good.swap(0, Relaxed).min(all) }
    }
}

impl ClusterHealth {
    pub(super) fn new(rules: OutlierDetection) -> Self {
        let (hosts, until, next) = (Mutex::default(), AtomicU64::new(0), AtomicU64::new(0));
        Self { rules, hosts, until, next }
    }

    pub(super) fn rules(&self) -> &OutlierDetection {
        &self.rules
    }

    /// The health of endpoints, in their order; of others it is forgotten when nobody has them.
    pub(super) fn hosts(&self, addresses: impl Iterator<Item = SocketAddr>) -> Vec<Arc<Health>> {
        let mut hosts = self.locked();
        let all = addresses.map(|address| Arc::clone(hosts.entry(address).or_default())).collect();
        hosts.retain(|_, health| Arc::strong_count(health) > 1);
        all
    }

    /// Whether any endpoint may be left out now.
    pub(in crate::proxy) fn has_ejected(&self, now: Duration) -> bool {
        self.until.load(Relaxed) > millis(now)
    }

    /// Counts an answer of an endpoint, and ejects whom it must.
    pub(in crate::proxy) fn answered(&self, host: &Health, outcome: Outcome, now: Duration) {
        let (failed, as_gateway) = host.count(outcome);
        let reached = |count, most| most > 0 && count >= most;
        if reached(failed, self.rules.consecutive_5xx)
            || reached(as_gateway, self.rules.consecutive_gateway_errors)
        {
            self.eject(&self.locked(), host, now);
        }
        self.look(now);
    }

    /// Looks at success rates, if it is time.
    fn look(&self, now: Duration) {
        let (next, at) = (self.next.load(Relaxed), millis(now));
        let then = at.saturating_add(millis(self.rules.interval));
        let is_ours =
            next <= at && self.next.compare_exchange(next, then, Relaxed, Relaxed).is_ok();
        // The first time there is no interval to look at.
        if !is_ours || next == 0 {
            return;
        }
        let hosts = self.locked();
        let all: Vec<&Arc<Health>> = hosts.values().collect();
        let answers: Vec<Answers> = all.iter().map(|health| health.take()).collect();
        for health in all.iter().filter(|health| !health.is_ejected(now)) {
            let fewer = |times: u32| times.checked_sub(1);
            // One that was never ejected stays so.
            let _ = health.times.fetch_update(Relaxed, Relaxed, fewer);
        }
        let Some(rules) = &self.rules.success_rate else { return };
        for index in ejection::outliers(&answers, rules) {
            if let Some(health) = all.get(index) {
                self.eject(&hosts, health, now);
            }
        }
    }

    /// Ejects an endpoint, if it is not and as far as it is permitted.
    fn eject(&self, hosts: &Hosts<'_>, host: &Health, now: Duration) {
        if host.is_ejected(now) {
            return;
        }
        let ejected = hosts.values().filter(|health| health.is_ejected(now)).count();
        if !ejection::may_eject(ejected, hosts.len(), &self.rules) {
            return;
        }
        let times = host.times.fetch_add(1, Relaxed).saturating_add(1);
        let until = millis(now.saturating_add(ejection::time(times, &self.rules)));
        host.failed.store(0, Relaxed);
        host.failed_as_gateway.store(0, Relaxed);
        host.until.store(until, Relaxed);
        self.until.fetch_max(until, Relaxed);
    }

    fn locked(&self) -> Hosts<'_> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Hosts<'a> = MutexGuard<'a, HashMap<SocketAddr, Arc<Health>>>;

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
