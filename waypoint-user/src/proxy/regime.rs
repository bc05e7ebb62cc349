//! What TrafficPolicies hold all workers of a process to, together: health of endpoints, circuit
//! breakers, rate limits, budgets of retries.
//!
//! It balances nothing and sends nothing. Here alone workers share what changes: plain counters,
//! looked up when a view is compiled and not for each request. A Service without a policy has none
//! of it.
//!
//! **Invariant:** a request that goes by an older view changes nothing for those that go by a newer
//! one.
//! **Invariant:** what a process keeps is bounded by its Services, their endpoints and the named
//! constants; what no view has any more is forgotten.

mod breaker;
mod budget;
mod health;
mod rates;

use std::{
    collections::HashMap,
    hash::Hash,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    mesh::{
        object::ObjectName,
        traffic_policy::{CircuitBreaker, OutlierDetection, RateLimit, TrafficPolicy},
    },
    telemetry::metrics::{Limit, Registry},
};

pub(super) use self::{
    breaker::{Breaker, Permit},
    budget::Spending,
    health::{ClusterHealth, Health, Outcome},
    rates::{Left, Limiter, Refusal},
};

/// A port of a Service.
pub(super) type Place = (ObjectName, u16);

/// What the workers of a process share.
#[derive(Debug)]
pub(super) struct Regimes {
    began: Instant,
    healths: Shared<Place, ClusterHealth>,
    breakers: Shared<Place, Breaker>,
    spendings: Shared<ObjectName, Spending>,
    limiters: Shared<(ObjectName, usize, ObjectName), Limiter>,
    full: Limit,
}

impl Regimes {
    /// Nothing yet.
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            began: Instant::now(),
            healths: Shared::default(),
            breakers: Shared::default(),
            spendings: Shared::default(),
            limiters: Shared::default(),
            full: registry.limit("rate_limit_buckets"),
        }
    }

    /// The time, as everything here counts it.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// The health of endpoints of a Service's port, in their order.
    pub(super) fn health(
        &self,
        place: &Place,
        rules: OutlierDetection,
        addresses: impl Iterator<Item = SocketAddr>,
    ) -> (Arc<ClusterHealth>, Vec<Arc<Health>>) {
        let fits = |known: &ClusterHealth| *known.rules() == rules;
        let cluster = self.healths.get(place, fits, || ClusterHealth::new(rules));
        let hosts = cluster.hosts(addresses);
        (cluster, hosts)
    }

    /// The circuit breaker of a Service's port; numbers that change hold for what is open already.
    /// They are of the tables with this number; those of older ones come too late.
    pub(super) fn breaker(&self, place: &Place, most: CircuitBreaker, number: u64) -> Arc<Breaker> {
        let breaker = self.breakers.get(place, |_| true, Breaker::default);
        breaker.limit(most, number);
        breaker
    }

    /// What was spent of the budget that a policy gives.
    pub(super) fn spending(&self, policy: &ObjectName) -> Arc<Spending> {
        self.spendings.get(policy, |_| true, Spending::default)
    }

    /// The limits that a policy sets for requests to a Service.
    pub(super) fn limiters(
        &self,
        policy: &TrafficPolicy,
        service: &ObjectName,
    ) -> Vec<Arc<Limiter>> {
        let limits = policy.requests.rate_limits.iter().enumerate();
        let limiter = |(index, rule): (usize, &RateLimit)| {
            let key = (policy.name.clone(), index, service.clone());
            let new = || Limiter::new(rule.clone(), self.full.clone());
            self.limiters.get(&key, |known| known.rule() == rule, new)
        };
        limits.map(limiter).collect()
    }
}

/// Values that live as long as somebody has them. A key has more than one while requests go by an
/// older view of the mesh.
#[derive(Debug)]
struct Shared<K, V>(Mutex<HashMap<K, Vec<Weak<V>>>>);

impl<K, V> Default for Shared<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, V> Shared<K, V> {
    /// The value of a key, if it fits, else a new one.
    fn get(&self, key: &K, fits: impl Fn(&V) -> bool, new: impl FnOnce() -> V) -> Arc<V> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = values.get(key).into_iter().flatten().filter_map(Weak::upgrade);
        if let Some(known) = known.find(|known| fits(known)) {
            return known;
        }
        values.retain(|_, all| {
            all.retain(|value| value.strong_count() > 0);
            !all.is_empty()
        });
        let value = Arc::new(new());
        values.entry(key.clone()).or_default().push(Arc::downgrade(&value));
        value
    }
}

/// What a process without metrics shares.
impl Default for Regimes {
    fn default() -> Self {
        Self::new(&Registry::default())
    }
}

#[cfg(test)]
mod tests;
