//! The shards, added up for a scrape.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, atomic::Ordering},
};

use prometheus::{
    core::{Collector, Desc},
    proto::{Bucket, Counter, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};

use super::{
    Outcome, Pair, Shard, grpc_label, lock,
    series::{BOUNDS, Total},
};
use crate::telemetry::metrics::source::{describe, family, float, pair};

/// Istio's families, read from the shards of all workers.
pub(in crate::telemetry::metrics) struct Traffic {
    descs: Vec<Desc>,
    shards: Arc<Mutex<Vec<Arc<Shard>>>>,
}

impl Traffic {
    /// Families over these shards.
    pub(in crate::telemetry::metrics) fn new(
        shards: Arc<Mutex<Vec<Arc<Shard>>>>,
    ) -> prometheus::Result<Self> {
        let names = [REQUESTS, DURATION, REQUEST, RESPONSE, OPENED, CLOSED, SENT, RECEIVED, FAILED];
        let descs = names.iter().map(|(name, help)| describe(name, help, &["reporter"]));
        Ok(Self { descs: descs.collect::<prometheus::Result<_>>()?, shards })
    }

    /// The families of requests.
    fn requests(&self) -> Vec<MetricFamily> {
        let mut totals: HashMap<(Arc<Pair>, Outcome), Requests> = HashMap::new();
        for shard in lock(&self.shards).iter() {
            for (key, series) in lock(&shard.requests).iter() {
                let total = totals.entry(key.clone()).or_default();
                total.count += series.count.load(Ordering::Relaxed);
                series.duration.add_to(&mut total.duration);
                series.request.add_to(&mut total.request);
                series.response.add_to(&mut total.response);
            }
        }
        let mut families: [Vec<Metric>; 4] = Default::default();
        let [counts, durations, requests, responses] = &mut families;
        for ((pair, outcome), total) in totals {
            let labels = request_labels(&pair, outcome);
            counts.push(counter(labels.clone(), total.count));
            durations.push(histogram(labels.clone(), &total.duration));
            requests.push(histogram(labels.clone(), &total.request));
            responses.push(histogram(labels, &total.response));
        }
        let [counts, durations, requests, responses] = families;
        let distribution =
            |(name, help): Name, metrics| family(name, help, MetricType::HISTOGRAM, metrics);
        vec![
            family(REQUESTS.0, REQUESTS.1, MetricType::COUNTER, counts),
            distribution(DURATION, durations),
            distribution(REQUEST, requests),
            distribution(RESPONSE, responses),
        ]
    }

    /// The families of connections.
    fn connections(&self) -> Vec<MetricFamily> {
        let mut totals: BTreeMap<Vec<(&'static str, String)>, [u64; TCP_FAMILIES]> =
            BTreeMap::new();
        for shard in lock(&self.shards).iter() {
            for ((pair, flag), series) in lock(&shard.connections).iter() {
                let mut labels = pair_labels(pair);
                labels.push(("response_flags", (*flag).to_owned()));
                let total = totals.entry(labels).or_default();
                let parts = [
                    &series.opened,
                    &series.closed,
                    &series.sent_bytes,
                    &series.received_bytes,
                    &series.failed,
                ];
                for (part, total) in parts.into_iter().zip(total) {
                    *total += part.load(Ordering::Relaxed);
                }
            }
        }
        let mut families: [Vec<Metric>; TCP_FAMILIES] = Default::default();
        for (labels, total) in totals {
            let labels = label_pairs(labels);
            for (metrics, number) in families.iter_mut().zip(total) {
                metrics.push(counter(labels.clone(), number));
            }
        }
        let names = [OPENED, CLOSED, SENT, RECEIVED, FAILED].into_iter().zip(families);
        let counters = |((name, help), metrics)| family(name, help, MetricType::COUNTER, metrics);
        names.map(counters).collect()
    }
}

impl Collector for Traffic {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.requests();
        families.extend(self.connections());
        families
    }
}

/// The sum over all workers of one label set.
#[derive(Default)]
struct Requests {
    count: u64,
    duration: Total,
    request: Total,
    response: Total,
}

/// The labels of requests.
fn request_labels(pair: &Pair, outcome: Outcome) -> Vec<LabelPair> {
    let mut labels = pair_labels(pair);
    labels.push(("response_code", outcome.status.to_string()));
    labels.push(("grpc_response_status", grpc_label(outcome.grpc)));
    labels.push(("response_flags", outcome.flag.to_owned()));
    label_pairs(labels)
}

/// The labels of source, destination and protocol.
fn pair_labels(pair: &Pair) -> Vec<(&'static str, String)> {
    let mut labels = vec![
        ("reporter", pair.reporter.as_str().to_owned()),
        ("request_protocol", pair.protocol.as_str().to_owned()),
        ("destination_service", pair.service.host.clone()),
        ("destination_service_name", pair.service.name.clone()),
        ("destination_service_namespace", pair.service.namespace.clone()),
        ("connection_security_policy", pair.security.as_str().to_owned()),
    ];
    labels.extend(SOURCE.into_iter().zip(pair.source.values().map(str::to_owned)));
    labels.extend(DESTINATION.into_iter().zip(pair.destination.values().map(str::to_owned)));
    labels
}

/// Labels as Prometheus has them.
fn label_pairs(labels: Vec<(&'static str, String)>) -> Vec<LabelPair> {
    labels.into_iter().map(|(name, value)| pair(name, value)).collect()
}

/// A counter with its labels.
fn counter(labels: Vec<LabelPair>, number: u64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(float(number));
    let mut metric = Metric::from_label(labels);
    metric.set_counter(counter);
    metric
}

/// A histogram with its labels.
fn histogram(labels: Vec<LabelPair>, total: &Total) -> Metric {
    let mut count = 0;
    let mut buckets = Vec::with_capacity(BOUNDS.len());
    for (bound, number) in BOUNDS.iter().zip(total.buckets) {
        count += number;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(float(*bound) / 1_000.0);
        bucket.set_cumulative_count(count);
        buckets.push(bucket);
    }
    let mut histogram = Histogram::default();
    histogram.set_sample_count(total.buckets.iter().sum());
    histogram.set_sample_sum(float(total.sum) / 1_000.0);
    histogram.set_bucket(buckets);
    let mut metric = Metric::from_label(labels);
    metric.set_histogram(histogram);
    metric
}

/// A family's name and help.
type Name = (&'static str, &'static str);

const REQUESTS: Name = ("istio_requests_total", "Requests that ended.");
const DURATION: Name = ("istio_request_duration_milliseconds", "Duration of requests.");
const REQUEST: Name = ("istio_request_bytes", "Size of requests, head and body.");
const RESPONSE: Name = ("istio_response_bytes", "Size of responses, head and body.");
const OPENED: Name = ("istio_tcp_connections_opened_total", "TCP connections opened.");
const CLOSED: Name = ("istio_tcp_connections_closed_total", "TCP connections closed.");
const SENT: Name = ("istio_tcp_sent_bytes_total", "Bytes sent to clients.");
const RECEIVED: Name = ("istio_tcp_received_bytes_total", "Bytes received from clients.");

const FAILED: Name =
    ("istio_tcp_connections_failed_total", "TCP connections that did not come about.");

/// How many families there are of connections.
const TCP_FAMILIES: usize = 5;

/// Labels of the source, in the order of [`Party::values`](super::Party::values).
const SOURCE: [&str; 8] = [
    "source_workload",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_canonical_service",
    "source_canonical_revision",
    "source_cluster",
];

/// Labels of the destination, in the order of [`Party::values`](super::Party::values).
const DESTINATION: [&str; 8] = [
    "destination_workload",
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_cluster",
];
