//! The access log: one line of JSON for each request and each TCP connection.
//!
//! Workers hand over entries and never wait; one thread formats and writes. After it wrote it
//! rests for some milliseconds, so that a busy worker does not have to wake it for each line. The
//! field names are Istio's (`pilot/pkg/model/telemetry_logging.go`), or where a node only carried
//! a connection ztunnel's, with a few of ours at the end; empty is `-`.
//!
//! **Invariant:** when the output is slower than the traffic, lines are dropped and counted;
//! requests are not delayed.

use std::{
    io::{self, Write},
    sync::mpsc::{self, Receiver, SyncSender, TrySendError},
    thread,
    time::{Duration, Instant},
};

pub use self::{
    entry::Entry,
    flow::{Direction, End, Flow},
};
use super::metrics::{Limit, Registry};

mod entry;
mod flow;
mod line;
pub(super) mod timestamp;

/// The workers' end of the access log; clones share the queue.
#[derive(Clone, Debug)]
pub struct AccessLog {
    /// None where nothing is logged.
    queue: Option<SyncSender<Item>>,
    full: Limit,
}

impl AccessLog {
    /// Starts the thread that writes to `output`.
    pub fn start(output: impl Write + Send + 'static, registry: &Registry) -> io::Result<Self> {
        let (queue, items) = mpsc::sync_channel(QUEUE_LINES_MAX);
        let refused = registry.limit("access_log_output");
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_all(&items, output, &refused))?;
        Ok(Self { queue: Some(queue), full: registry.limit("access_log_queue") })
    }

    /// A log of which nothing is kept, and that costs nothing.
    pub fn off(registry: &Registry) -> Self {
        Self { queue: None, full: registry.limit("access_log_queue") }
    }

    /// Whether anything is logged.
    pub fn is_on(&self) -> bool {
        self.queue.is_some()
    }

    /// Queues an entry, or drops it when the queue is full.
    pub fn record(&self, entry: Box<Entry>) {
        self.queue(Item::Entry(entry));
    }

    /// The same for a connection that was carried.
    pub fn record_flow(&self, flow: Box<Flow>) {
        self.queue(Item::Flow(flow));
    }

    fn queue(&self, item: Item) {
        let Some(queue) = &self.queue else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = queue.try_send(item) {
            self.full.hit();
        }
    }

    /// Waits, at most as long as given, until what is queued now was written. It blocks the thread.
    pub fn flush(&self, patience: Duration) -> bool {
        let Some(queue) = &self.queue else { return true };
        let (done, written) = mpsc::sync_channel(1);
        queue.try_send(Item::Flush(done)).is_ok() && written.recv_timeout(patience).is_ok()
    }
}

/// What is queued.
enum Item {
    /// A line to write.
    Entry(Box<Entry>),
    /// A line of the other kind.
    Flow(Box<Flow>),
    /// A wish to know when everything before was written.
    Flush(SyncSender<()>),
}

/// Writes until all senders are gone: a line at once, and what comes soon after it together.
fn write_all(items: &Receiver<Item>, mut output: impl Write, refused: &Limit) {
    let mut text = Vec::new();
    let mut written: Option<Instant> = None;
    while let Ok(first) = items.recv() {
        let rest = written.and_then(|at| GATHERING.checked_sub(at.elapsed()));
        if let Some(rest) = rest.filter(|_| !matches!(first, Item::Flush(_))) {
            // Nobody has to wake who does not wait at the queue.
            thread::park_timeout(rest);
        }
        let mut next = Some(first);
        while let Some(first) = next {
            next = write_batch(first, items, (&mut text, &mut output), refused);
        }
        written = Some(Instant::now());
    }
}

/// Writes what waits, as far as it goes out in one write; what comes after it, if anything does.
fn write_batch(
    first: Item,
    items: &Receiver<Item>,
    (text, output): (&mut Vec<u8>, &mut impl Write),
    refused: &Limit,
) -> Option<Item> {
    text.clear();
    let mut waiting = Vec::new();
    let mut next = Some(first);
    while text.len() < BATCH_BYTES
        && let Some(item) = next
    {
        match item {
            Item::Entry(entry) => entry.write_line(text),
            Item::Flow(flow) => flow.write_line(text),
            Item::Flush(done) => waiting.push(done),
        }
        next = items.try_recv().ok();
    }
    if let Err(cause) = output.write_all(text).and_then(|()| output.flush()) {
        refused.hit();
        tracing::debug!(%cause, "access log lines are lost");
    }
    for done in waiting {
        // Whoever waited may have given up; then nobody needs the answer.
        let _ = done.try_send(());
    }
    next
}

/// Most lines that wait to be written; what comes while it is full is dropped.
const QUEUE_LINES_MAX: usize = 16 * 1024;

/// How long lines are gathered after others were written.
const GATHERING: Duration = Duration::from_millis(5);

/// How much is formatted before it is written.
const BATCH_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
