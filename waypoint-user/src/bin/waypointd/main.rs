//! The daemon: parses arguments, builds a configuration, starts one role.
#![forbid(unsafe_code)]

mod args;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use waypoint_user::{kernel, roles::standalone, telemetry::task};

use self::args::{Command, Role};

fn main() -> Result<()> {
    match Command::parse().role {
        Role::Standalone(arguments) => {
            let level = arguments.log.start()?;
            let config = arguments.into_config();
            // Control work; the engine has threads of its own.
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
            runtime.block_on(async {
                let shutdown = CancellationToken::new();
                listen_for_signals(shutdown.clone())?;
                Ok(standalone::run(config, level, shutdown).await?)
            })
        }
        Role::Cleanup(node) => {
            let mut removed = kernel::cleanup(&node.settings())?;
            if kernel::service_vips::remove(node.table())? {
                removed.push(format!("nftables table {}", node.table()));
            }
            match removed.as_slice() {
                [] => println!("nothing to remove"),
                removed => removed.iter().for_each(|what| println!("removed {what}")),
            }
            Ok(())
        }
    }
}

/// Asks for shutdown at SIGTERM or SIGINT.
fn listen_for_signals(shutdown: CancellationToken) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    task::spawn("signals", async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
            _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
        }
        shutdown.cancel();
    });
    Ok(())
}
