//! Rate limits: buckets of tokens, one for each that is counted by itself.
//!
//! A bucket is one number, the moment at which it would be full again (the generic cell rate
//! algorithm, ITU-T I.371). It knows no clock.
//!
//! **Invariant:** there are at most [`BUCKETS_MAX`] buckets of a limit; keys beyond share one.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{mesh::traffic_policy::RateLimit, telemetry::metrics::Limit};

/// A limit of a policy for a Service.
#[derive(Debug)]
pub(in crate::proxy) struct Limiter {
    rule: RateLimit,
    common: Bucket,
    keyed: Mutex<Keyed>,
    full: Limit,
}

/// The buckets of keys.
#[derive(Debug, Default)]
struct Keyed {
    buckets: HashMap<Box<str>, Arc<Bucket>>,
    /// When it may be looked for full ones again.
    next_look: Duration,
}

/// A request that comes too early.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::proxy) struct Refusal {
    /// How many may come at once.
    pub(in crate::proxy) burst: u32,
    /// How long until one may come.
    pub(in crate::proxy) wait: Duration,
}

/// What is left of a limit after a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::proxy) struct Left {
    /// How many may come at once.
    pub(in crate::proxy) burst: u32,
    /// How many more may come now.
    pub(in crate::proxy) remaining: u32,
    /// How long until as many may come as ever.
    pub(in crate::proxy) reset: Duration,
}

impl Limiter {
    pub(super) fn new(rule: RateLimit, full: Limit) -> Self {
        Self { rule, common: Bucket::default(), keyed: Mutex::default(), full }
    }

    /// The limit.
    pub(in crate::proxy) fn rule(&self) -> &RateLimit {
        &self.rule
    }

    /// Takes a token of the bucket of a key, or of the one for all.
    pub(in crate::proxy) fn take(&self, key: Option<&str>, now: Duration) -> Result<Left, Refusal> {
        match key {
            None => self.common.take(&self.rule, now),
            Some(key) => match self.bucket(key, now) {
                Some(bucket) => bucket.take(&self.rule, now),
                None => self.common.take(&self.rule, now),
            },
        }
    }

    /// The bucket of a key; none when there are too many.
    fn bucket(&self, key: &str, now: Duration) -> Option<Arc<Bucket>> {
        let mut keyed = self.keyed.lock().unwrap_or_else(PoisonError::into_inner);
        let Keyed { buckets, next_look } = &mut *keyed;
        if let Some(known) = buckets.get(key) {
            return Some(Arc::clone(known));
        }
        if buckets.len() >= BUCKETS_MAX && *next_look <= now {
            *next_look = now.saturating_add(LOOK_EACH);
            // A full bucket is as good as none.
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        if buckets.len() >= BUCKETS_MAX {
            self.full.hit();
            return None;
        }
        Some(Arc::clone(buckets.entry(key.into()).or_default()))
    }
}

/// A bucket of tokens: when it is full again, in nanoseconds.
#[derive(Debug, Default)]
struct Bucket(AtomicU64);

impl Bucket {
    fn is_full(&self, now: Duration) -> bool {
        self.0.load(Relaxed) <= nanos(now)
    }

    fn take(&self, rule: &RateLimit, now: Duration) -> Result<Left, Refusal> {
        let (now, each) = (nanos(now), nanos(rule.per) / u64::from(rule.requests.max(1)));
        let burst = rule.burst;
        let room = each.saturating_mul(u64::from(rule.burst.saturating_sub(1)));
        let take = |full: u64| {
            let full = full.max(now);
            (full - now <= room).then(|| full.saturating_add(each))
        };
        let taken = self.0.fetch_update(Relaxed, Relaxed, take);
        let told = taken.map(|before| {
            let missing = before.max(now).saturating_add(each) - now;
            let used = u32::try_from(missing.div_ceil(each.max(1))).unwrap_or(u32::MAX);
            let remaining = burst.saturating_sub(used);
            Left { burst, remaining, reset: Duration::from_nanos(missing) }
        });
        told.map_err(|full| {
            let wait = Duration::from_nanos(full.saturating_sub(now).saturating_sub(room));
            Refusal { burst, wait }
        })
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// How often full buckets are looked for, at most: it takes a while, in which others wait.
const LOOK_EACH: Duration = Duration::from_secs(1);

/// Most buckets of one limit of one Service. Counted as `rate_limit_buckets`.
pub(super) const BUCKETS_MAX: usize = 16 * 1024;
