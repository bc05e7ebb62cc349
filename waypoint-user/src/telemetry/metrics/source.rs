//! Numbers that are kept elsewhere, read at each scrape.

use std::collections::HashMap;

use prometheus::{
    core::{Collector, Desc},
    proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType},
};

/// Reads label values and numbers.
type Read = Box<dyn Fn() -> Vec<(Vec<String>, u64)> + Send + Sync>;

/// One family, read at each scrape.
pub(super) struct Source {
    desc: Desc,
    name: &'static str,
    help: &'static str,
    labels: Vec<&'static str>,
    kind: MetricType,
    read: Read,
}

impl Source {
    /// A family of counters.
    pub(super) fn counters(
        name: &'static str,
        help: &'static str,
        labels: &[&'static str],
        read: Read,
    ) -> prometheus::Result<Self> {
        let desc = describe(name, help, labels)?;
        let labels = labels.to_vec();
        Ok(Self { desc, name, help, labels, kind: MetricType::COUNTER, read })
    }

    /// A family of gauges.
    pub(super) fn gauges(
        name: &'static str,
        help: &'static str,
        labels: &[&'static str],
        read: Read,
    ) -> prometheus::Result<Self> {
        Ok(Self { kind: MetricType::GAUGE, ..Self::counters(name, help, labels, read)? })
    }

    /// One number with its labels.
    fn metric(&self, values: Vec<String>, number: u64) -> Metric {
        let pairs = self.labels.iter().zip(values).map(|(label, value)| pair(label, value));
        let mut metric = Metric::from_label(pairs.collect());
        let number = float(number);
        if self.kind == MetricType::GAUGE {
            let mut gauge = Gauge::default();
            gauge.set_value(number);
            metric.set_gauge(gauge);
        } else {
            let mut counter = Counter::default();
            counter.set_value(number);
            metric.set_counter(counter);
        }
        metric
    }
}

impl Collector for Source {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let metrics = (self.read)();
        let metrics = metrics.into_iter().map(|(values, number)| self.metric(values, number));
        vec![family(self.name, self.help, self.kind, metrics.collect())]
    }
}

/// Describes a family with these labels.
pub(super) fn describe(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Desc> {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    Desc::new(name.to_owned(), help.to_owned(), labels, HashMap::new())
}

/// A family of metrics.
pub(super) fn family(
    name: &str,
    help: &str,
    kind: MetricType,
    metrics: Vec<Metric>,
) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

/// A label with its value.
pub(super) fn pair(name: &str, value: String) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value);
    pair
}

/// A count as Prometheus has it.
#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floating point")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}
