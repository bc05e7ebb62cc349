//! Waiting for a condition, with a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How long a lab waits for anything that ought to happen soon.
pub const SOON: Duration = Duration::from_secs(10);

/// Asks until there is an answer; after the deadline it is an error that says `what` was missing,
/// and what the last attempt failed with.
pub fn until<T>(
    what: &str,
    deadline: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let answer = ask();
        if let Ok(Some(answer)) = answer {
            return Ok(answer);
        }
        if start.elapsed() > deadline {
            answer.with_context(|| format!("waiting {deadline:?} for {what}"))?;
            bail!("no {what} within {deadline:?}");
        }
        pause();
    }
}

/// Waits until a condition holds.
pub fn until_true(
    what: &str,
    deadline: Duration,
    mut holds: impl FnMut() -> Result<bool>,
) -> Result<()> {
    until(what, deadline, || Ok(holds()?.then_some(())))
}

#[allow(clippy::disallowed_methods, reason = "the one place that polls, with a deadline around it")]
fn pause() {
    thread::sleep(Duration::from_millis(10));
}
