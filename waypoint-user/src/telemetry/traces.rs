//! Tracing: the place of a request in a trace, and a span of each request that is sampled, sent to
//! a collector by OTLP.
//!
//! Where no collector is named, nothing is read of a request and nothing changes in it. Else ids
//! are read and written on the path of the request, and everything after its end happens on the
//! runtime of control work.
//!
//! **Invariant:** a request never waits for a collector; what finds the queue full is dropped and
//! counted.
//! **Invariant:** what waits to be sent has at most [`QUEUE_SPANS_MAX`] spans, and a text in it at
//! most [`TEXT_BYTES_MAX`] bytes.

use std::{path::PathBuf, sync::Arc, time::Duration};

use http::HeaderMap;
use tokio::{
    sync::mpsc::{self, Sender},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::mesh::object::ObjectName;

pub use self::{
    context::{Context, Decision},
    endpoint::{Endpoint, Protocol},
    rate::Rate,
    span::{Span, TEXT_BYTES_MAX},
};
use super::{
    metrics::{Limit, Registry},
    task,
};

mod attributes;
mod b3;
mod context;
mod courier;
mod door;
mod endpoint;
mod export;
mod rate;
mod send;
mod span;
mod w3c;

/// What tracing is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Where spans are sent.
    pub endpoint: Endpoint,
    /// How.
    pub protocol: Protocol,
    /// The file with the roots that a collector is verified by; the system's without it.
    pub roots: Option<PathBuf>,
    /// How many of the traces that begin here are kept.
    pub rate: Rate,
    /// The name by which spans say whose they are; the role has one where none is given.
    pub service: Option<String>,
}

/// Who a process is, to whoever looks at its spans.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Whose {
    /// The name of the role, where none is given.
    pub service: String,
    /// The pod, if it is one's.
    pub pod: Option<ObjectName>,
}

/// The workers' end of tracing; clones share it, and the default is off.
#[derive(Clone, Debug, Default)]
pub struct Tracing(Option<Arc<Desk>>);

/// Where spans are handed in.
#[derive(Debug)]
struct Desk {
    rate: Rate,
    queue: Sender<Box<Span>>,
    full: Limit,
    /// Asks for what is queued to be sent at once, for the last time.
    ending: CancellationToken,
    /// Cancelled when it was.
    ended: CancellationToken,
}

impl Tracing {
    /// Starts the task that sends spans, on the runtime that this is called on.
    pub fn start(settings: &Settings, whose: Whose, registry: &Registry) -> Result<Self, Error> {
        let (queue, spans) = mpsc::channel(QUEUE_SPANS_MAX);
        let (ending, ended) = (CancellationToken::new(), CancellationToken::new());
        let courier = courier::Courier::new(settings, whose, registry, ending.clone())?;
        let sending = export::run(spans, courier, ending.clone(), ended.clone().drop_guard());
        task::spawn("traces", sending);
        let full = registry.limit("trace_queue");
        Ok(Self(Some(Arc::new(Desk { rate: settings.rate, queue, full, ending, ended }))))
    }

    /// Gives a request its place in a trace, in its fields; returned where its span is kept.
    pub fn begin(
        &self,
        headers: &mut HeaderMap,
        random: impl FnMut() -> u128,
    ) -> Option<Box<Context>> {
        let desk = self.0.as_ref()?;
        let context = Context::of(headers, desk.rate, random);
        context.write(headers);
        context.decision.is_kept().then(|| Box::new(context))
    }

    /// Queues a span, or drops it when the queue is full.
    pub fn end(&self, span: Span) {
        let Some(desk) = &self.0 else { return };
        if desk.queue.try_send(Box::new(span)).is_err() {
            desk.full.hit();
        }
    }

    /// Sends what is queued, and waits for that at most as long as given; then nothing more is.
    pub async fn close(&self, patience: Duration) -> bool {
        let Some(desk) = &self.0 else { return true };
        desk.ending.cancel();
        timeout(patience, desk.ended.cancelled()).await.is_ok()
    }
}

/// What is wrong with how tracing is asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The collector's address is none.
    #[error("{0} is no address of a collector; write http://HOST:PORT or https://HOST:PORT")]
    Endpoint(String),
    /// The file with roots is none.
    #[error("the roots of the collector in {0}: {1}")]
    Roots(PathBuf, String),
    /// The system has no roots.
    #[error("the system knows no roots to verify a collector by; name a file with them")]
    NoRoots,
    /// The share of traces is none.
    #[error("{0} is no share of traces; write 0 to 100, with at most two decimals")]
    Rate(String),
}

/// Most spans that wait to be sent; what comes while it is full is dropped, and counted by the
/// limit `trace_queue`.
pub const QUEUE_SPANS_MAX: usize = 4096;

#[cfg(test)]
pub(crate) mod tests;
