//! The counters of one label set in one worker.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Sample;

/// Counters of requests with the same labels.
#[derive(Debug, Default)]
pub(super) struct RequestSeries {
    pub(super) count: AtomicU64,
    pub(super) duration: Histogram,
    pub(super) request: Histogram,
    pub(super) response: Histogram,
}

impl RequestSeries {
    /// Counts a request.
    pub(super) fn record(&self, sample: &Sample) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(sample.duration.as_micros()).unwrap_or(u64::MAX);
        self.duration.record(micros);
        self.request.record(sample.request_bytes.saturating_mul(1_000));
        self.response.record(sample.response_bytes.saturating_mul(1_000));
    }
}

/// Counters of connections with the same labels.
#[derive(Debug, Default)]
pub(super) struct TcpSeries {
    pub(super) opened: AtomicU64,
    pub(super) closed: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
    pub(super) received_bytes: AtomicU64,
    pub(super) failed: AtomicU64,
}

/// A distribution over [`BOUNDS`]; values are in thousandths, so that half a millisecond is a whole
/// number.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum: AtomicU64,
}

impl Histogram {
    /// Adds a value.
    fn record(&self, thousandths: u64) {
        let bucket = BOUNDS.partition_point(|bound| *bound < thousandths);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(thousandths, Ordering::Relaxed);
    }

    /// Adds the content to a total.
    pub(super) fn add_to(&self, total: &mut Total) {
        for (bucket, total) in self.buckets.iter().zip(&mut total.buckets) {
            *total += bucket.load(Ordering::Relaxed);
        }
        total.sum += self.sum.load(Ordering::Relaxed);
    }
}

/// The content of one histogram or of several.
#[derive(Clone, Debug, Default)]
pub(super) struct Total {
    pub(super) buckets: [u64; BOUNDS.len() + 1],
    pub(super) sum: u64,
}

/// Upper bounds of the buckets, in thousandths: Envoy's defaults, which Istio uses for times and
/// sizes.
pub(super) const BOUNDS: [u64; 19] = [
    500,
    1_000,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    600_000_000,
    1_800_000_000,
    3_600_000_000,
];
