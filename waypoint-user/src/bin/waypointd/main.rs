//! The daemon: parses arguments, builds a configuration, starts one role.
#![forbid(unsafe_code)]

mod args;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use nix::sys::prctl;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use waypoint_user::{
    kernel,
    roles::{agent, controller, probe, proxy, standalone, token},
    telemetry::task,
};

use self::args::{Command, Role};

/// Requests make and drop many small things, each on one thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    match Command::parse().role {
        Role::Standalone(arguments) => {
            let level = arguments.log.start()?;
            let config = arguments.into_config();
            run(1, |shutdown| async { Ok(standalone::run(config, level, shutdown).await?) })
        }
        Role::Agent(arguments) => {
            let level = arguments.log.start()?;
            let issuer = arguments.authority.client()?;
            let config = arguments.into_config();
            run(1, |shutdown| async { Ok(agent::run(config, issuer, level, shutdown).await?) })
        }
        Role::Proxy(arguments) => {
            let level = arguments.log.start()?;
            let issuer = arguments.authority.client()?;
            let config = arguments.into_config();
            run(1, |shutdown| async { Ok(proxy::run(config, issuer, level, shutdown).await?) })
        }
        Role::Controller(arguments) => {
            let level = arguments.log.start()?;
            let config = arguments.into_config();
            run(2, |shutdown| async { Ok(controller::run(config, level, shutdown).await?) })
        }
        Role::Token(arguments) => {
            let caller = arguments.caller().context("name --node or --service-account")?;
            println!("{}", token::sign(&arguments.ca_dir, &caller, arguments.lifetime())?);
            Ok(())
        }
        Role::Init(node) => {
            match kernel::init(&node.settings())?.as_slice() {
                [] => println!("everything is there"),
                made => made.iter().for_each(|what| println!("made {what}")),
            }
            Ok(())
        }
        Role::Probe(arguments) => {
            let answer = probe::ask(&arguments.status, arguments.page())?;
            print!("{}", answer.text);
            ensure!(answer.good, "the answer is no");
            Ok(())
        }
        Role::Rest => run(1, async |shutdown| {
            shutdown.cancelled().await;
            Ok(())
        }),
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

/// Runs a role until it ends, on so many threads for control work; the engine has threads of its
/// own.
fn run<R>(threads: usize, role: impl FnOnce(CancellationToken) -> R) -> Result<()>
where
    R: Future<Output = Result<()>>,
{
    // The allocator asks for huge pages, most of each of which an idle process does not need.
    if let Err(cause) = prctl::set_thp_disable(true) {
        tracing::warn!(%cause, "the heap gets huge pages, of which most may stay unused");
    }
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        listen_for_signals(shutdown.clone())?;
        role(shutdown).await
    })
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
