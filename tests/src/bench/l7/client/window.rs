//! The time that counts, and what it cost.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::super::load::{Load, Seen};
use crate::bench::usage::{self, Threads};

/// When requests count.
#[derive(Debug, Default)]
pub(super) struct Window {
    is_open: AtomicBool,
    is_over: AtomicBool,
    bytes: AtomicU64,
}

impl Window {
    pub(super) fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Takes note of bytes that came, if they count.
    pub(super) fn count(&self, bytes: usize) {
        if self.is_open() && !self.is_over() {
            self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// Bytes that counted.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// What everybody had used when counting began.
#[derive(Debug)]
pub(super) struct Began {
    at: Instant,
    proxy: Threads,
    others: Threads,
}

/// What it cost.
#[derive(Debug)]
pub(super) struct Cost {
    took: Duration,
    proxy: Duration,
    others: Duration,
    rss_kib: f64,
}

impl Began {
    pub(super) fn now(load: &Load) -> Result<Self> {
        let (proxy, others) = look(load)?;
        Ok(Self { at: Instant::now(), proxy, others })
    }

    pub(super) fn cost(&self, load: &Load) -> Result<Cost> {
        let (proxy, others) = look(load)?;
        let rss_kib = load.proxy.map(usage::resident_kib).transpose()?.unwrap_or_default();
        Ok(Cost {
            took: self.at.elapsed(),
            proxy: proxy.since(&self.proxy),
            others: others.since(&self.others),
            rss_kib: f64::from(u32::try_from(rss_kib)?),
        })
    }
}

/// The proxy's threads, and those of the backend and of this process.
fn look(load: &Load) -> Result<(Threads, Threads)> {
    let proxy: Vec<u32> = load.proxy.into_iter().collect();
    Ok((Threads::of(&proxy)?, Threads::of(&[load.backend, std::process::id()])?))
}

impl Cost {
    /// What was seen: requests of these times, so many of them.
    pub(super) fn seen(&self, mut times: Vec<Duration>, count: Option<f64>) -> Result<Seen> {
        ensure!(!times.is_empty(), "no request ended within {:?}", self.took);
        times.sort_unstable();
        let ended = f64::from(u32::try_from(times.len())?);
        let count = count.unwrap_or(ended);
        let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
        let each = |used: Duration| used.as_secs_f64() * 1e6 / count;
        Ok(Seen {
            cpu_us: each(self.proxy),
            machine_us: each(self.proxy + self.others),
            rate: count / self.took.as_secs_f64(),
            p50_us: at(50).as_secs_f64() * 1e6,
            p99_us: at(99).as_secs_f64() * 1e6,
            rss_kib: self.rss_kib,
            each_kib: 0.0,
        })
    }
}
