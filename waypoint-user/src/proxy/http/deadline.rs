//! When a request must have ended.
//!
//! Whose time it is, and so what is told when it is over, goes with it.

use std::{
    future::{Future, pending, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::HeaderMap;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::proxy::respond::{Fault, Late};

/// A time, and what is late when it has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Until {
    pub(super) at: Instant,
    pub(super) late: Late,
}

impl Until {
    /// So long after a time.
    pub(super) fn after(begin: Instant, time: Option<Duration>, late: Late) -> Option<Self> {
        // A time that no clock reaches is none.
        let at = begin.checked_add(time?)?;
        Some(Self { at, late })
    }

    /// Whichever comes first.
    pub(super) fn first(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if other.at < one.at { other } else { one }),
            (one, other) => one.or(other),
        }
    }
}

/// Does something in time; without a time, however long it takes. It is pinned by the caller, as a
/// future that is handed on has its room twice.
pub(super) async fn within<T>(
    until: Option<Until>,
    doing: Pin<&mut impl Future<Output = Result<T, Fault>>>,
) -> Result<T, Fault> {
    let over = async {
        match until.map(Deadline::new) {
            Some(mut deadline) => poll_fn(|cx| deadline.poll(cx)).await,
            None => pending().await,
        }
    };
    tokio::select! {
        biased;
        done = doing => done,
        fault = over => Err(fault),
    }
}

/// A time that is waited for.
pub(in crate::proxy) struct Deadline {
    sleep: Pin<Box<Sleep>>,
    late: Late,
}

impl Deadline {
    /// Waits for a time.
    pub(super) fn new(until: Until) -> Self {
        Self { sleep: Box::pin(sleep_until(until.at)), late: until.late }
    }

    /// Ready when it has come.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        self.sleep.as_mut().poll(cx).map(|()| Fault::TooLate(self.late))
    }
}

/// How long a caller waits (gRPC `doc/PROTOCOL-HTTP2.md`, Timeout).
pub(super) fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = number.bytes().all(|digit| digit.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| is_number && number.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// The field with the time that a caller waits.
const GRPC_TIMEOUT: &str = "grpc-timeout";

#[cfg(test)]
mod tests;
