//! The task that takes spans from the queue and has them sent, many at a time.
//!
//! It wakes up once for the first span and then looks again after [`BATCH_DELAY`], so that workers
//! seldom have to wake it.

use std::time::Duration;

use tokio::{sync::mpsc::Receiver, time::sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{courier::Courier, span::Span};

/// Sends spans until it is asked to end, and then those that are left.
pub(super) async fn run(
    mut queue: Receiver<Box<Span>>,
    mut courier: Courier,
    ending: CancellationToken,
    _ended: DropGuard,
) {
    while let Some(Some(first)) = ending.run_until_cancelled(queue.recv()).await {
        ending.run_until_cancelled(sleep(BATCH_DELAY)).await;
        send_queued(vec![*first], &mut queue, &mut courier).await;
    }
    send_queued(Vec::new(), &mut queue, &mut courier).await;
}

/// Sends what is queued.
async fn send_queued(mut batch: Vec<Span>, queue: &mut Receiver<Box<Span>>, courier: &mut Courier) {
    loop {
        while batch.len() < BATCH_SPANS_MAX
            && let Ok(span) = queue.try_recv()
        {
            batch.push(*span);
        }
        if batch.is_empty() {
            return;
        }
        courier.deliver(std::mem::take(&mut batch)).await;
    }
}

/// How long spans wait for others to be sent with them.
const BATCH_DELAY: Duration = Duration::from_millis(200);

/// Most spans in one message.
const BATCH_SPANS_MAX: usize = 512;
