//! The one way to start a task, so that every task has a name in the log.
//!
//! It does not join: the role or the accept loop that starts a task keeps its handle.

use std::future::Future;

use tokio::task::JoinHandle;
use tracing::Instrument;

/// Starts a task on the current runtime; what it logs carries its name.
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "this is the function that names tasks")]
    tokio::spawn(future.instrument(tracing::info_span!("task", name)))
}

/// Starts a task on the current thread's `LocalSet`; what it logs carries its name.
pub fn spawn_local<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    tokio::task::spawn_local(future.instrument(tracing::debug_span!("task", name)))
}
