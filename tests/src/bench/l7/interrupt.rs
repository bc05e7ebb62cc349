//! Being asked to end, by ctrl-C or by SIGTERM: noted, so that everything is put away first.

use std::sync::atomic::{AtomicBool, Ordering};

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
        CAME.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// Whether it came.
pub(super) fn came() -> bool {
    CAME.load(Ordering::Relaxed)
}

/// What then is told.
pub(super) fn error() -> Error {
    anyhow!("interrupted")
}

static CAME: AtomicBool = AtomicBool::new(false);
