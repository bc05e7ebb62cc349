//! Work that waits, for the kernel's configuration lock or for a program, away from the threads
//! that must not wait.

use std::panic;

/// Runs work on a thread that may block; `None` if the runtime shuts down before it starts.
pub(super) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => Some(outcome),
        Err(failure) => match failure.try_into_panic() {
            Ok(cause) => panic::resume_unwind(cause),
            Err(_) => None,
        },
    }
}
