//! Being asked to end, by ctrl-C or by SIGTERM: noted, so that everything is put away first.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Error, Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};

/// Begins to listen.
pub(super) fn listen() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        *CAME.lock().unwrap_or_else(PoisonError::into_inner) = true;
        HEARD.notify_all();
    });
    Ok(())
}

/// Whether it came.
pub(super) fn came() -> bool {
    *CAME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether it came, or comes in a while.
pub(super) fn comes_within(patience: Duration) -> bool {
    let came = CAME.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = HEARD.wait_timeout_while(came, patience, |came| !*came);
    let (came, _) = waited.unwrap_or_else(PoisonError::into_inner);
    *came
}

/// What then is told.
pub(super) fn error() -> Error {
    anyhow!("interrupted")
}

static CAME: Mutex<bool> = Mutex::new(false);
static HEARD: Condvar = Condvar::new();
