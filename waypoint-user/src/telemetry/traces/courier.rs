//! Delivers spans to a collector, tries again, and counts what became of them.
//!
//! **Invariant:** a collector that is away is told of in the log once, and once when it is back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::InstrumentationScope,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::telemetry::metrics::Registry;

use super::{
    Error, Settings, Whose,
    attributes::text,
    send::{Failure, Way},
    span::Span,
};

/// Delivers spans.
pub(super) struct Courier {
    way: Way,
    endpoint: String,
    resource: Resource,
    counts: Arc<Counts>,
    /// Whether the last ones were not delivered.
    is_away: bool,
    ending: CancellationToken,
}

impl Courier {
    /// Delivers to whom the settings say. It hurries when it is asked to end.
    pub(super) fn new(
        settings: &Settings,
        whose: Whose,
        registry: &Registry,
        ending: CancellationToken,
    ) -> Result<Self, Error> {
        let counts = Counts::register(registry);
        let way = Way::to(settings)?;
        let endpoint = settings.endpoint.to_string();
        let resource = resource(settings.service.clone(), whose);
        Ok(Self { way, endpoint, resource, counts, is_away: false, ending })
    }

    /// Delivers spans, or gives them up.
    pub(super) async fn deliver(&mut self, spans: Vec<Span>) {
        let number = spans.len() as u64;
        let message = self.message(&spans);
        drop(spans);
        match self.try_often(message).await {
            Ok(rejected) => {
                let rejected = rejected.min(number);
                self.counts.rejected.fetch_add(rejected, Ordering::Relaxed);
                self.counts.delivered.fetch_add(number - rejected, Ordering::Relaxed);
                if std::mem::take(&mut self.is_away) {
                    tracing::info!(collector = self.endpoint, "spans are delivered again");
                }
            }
            Err(cause) => {
                self.counts.lost.fetch_add(number, Ordering::Relaxed);
                if !std::mem::replace(&mut self.is_away, true) {
                    let collector = &self.endpoint;
                    tracing::warn!(collector, %cause, "spans are not delivered, and dropped");
                }
                // Whoever is away is not asked more often than that.
                self.ending.run_until_cancelled(sleep(AWAY_PAUSE)).await;
            }
        }
    }

    /// Sends a message until it is taken, or tries are used up. A collector that was away before is
    /// tried once.
    async fn try_often(&mut self, message: ExportTraceServiceRequest) -> Result<u64, Failure> {
        let mut pause = RETRY_PAUSE;
        for _ in 1..TRIES_MAX {
            if self.is_away || self.ending.is_cancelled() {
                break;
            }
            match self.try_once(message.clone()).await {
                Err(failure) if failure.may_pass() => {
                    self.ending.run_until_cancelled(sleep(pause)).await;
                    pause *= 2;
                }
                other => return other,
            }
        }
        self.try_once(message).await
    }

    async fn try_once(&mut self, message: ExportTraceServiceRequest) -> Result<u64, Failure> {
        timeout(SEND_TIMEOUT, self.way.send(message)).await.unwrap_or(Err(Failure::Late))
    }

    /// What the collector gets.
    fn message(&self, spans: &[Span]) -> ExportTraceServiceRequest {
        let scope = InstrumentationScope {
            name: "waypoint".to_owned(),
            version: VERSION.to_owned(),
            ..InstrumentationScope::default()
        };
        let of_scope = ScopeSpans {
            scope: Some(scope),
            spans: spans.iter().map(Span::to_otlp).collect(),
            schema_url: String::new(),
        };
        let of_resource = ResourceSpans {
            resource: Some(self.resource.clone()),
            scope_spans: vec![of_scope],
            schema_url: String::new(),
        };
        ExportTraceServiceRequest { resource_spans: vec![of_resource] }
    }
}

/// Whose spans they are.
fn resource(service: Option<String>, whose: Whose) -> Resource {
    let service = service.filter(|name| !name.is_empty()).unwrap_or(whose.service);
    let mut attributes = vec![text("service.name", service), text("service.version", VERSION)];
    if let Some(pod) = whose.pod {
        attributes.push(text("k8s.namespace.name", pod.namespace));
        attributes.push(text("k8s.pod.name", pod.name));
    }
    Resource { attributes, ..Resource::default() }
}

/// What became of spans.
#[derive(Debug, Default)]
struct Counts {
    delivered: AtomicU64,
    rejected: AtomicU64,
    lost: AtomicU64,
}

impl Counts {
    /// Counts that are exported.
    fn register(registry: &Registry) -> Arc<Self> {
        let counts = Arc::new(Self::default());
        let read = Arc::clone(&counts);
        let help = "Spans that were to be sent to a collector, by what became of them.";
        registry.counter_source("waypoint_trace_spans_total", help, "result", move || {
            let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
            vec![
                ("delivered".to_owned(), number(&read.delivered)),
                ("rejected".to_owned(), number(&read.rejected)),
                ("lost".to_owned(), number(&read.lost)),
            ]
        });
        counts
    }
}

/// How long a collector has for one message.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a message is tried, and the pause before the second try; each is twice the one before.
const TRIES_MAX: u32 = 4;
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How long a collector that is away is left alone.
const AWAY_PAUSE: Duration = Duration::from_secs(1);

const VERSION: &str = env!("CARGO_PKG_VERSION");
