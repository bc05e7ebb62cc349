//! Connections that are opened and closed again, one after the other, to measure what that costs.
//!
//! The server closes first, so that the client's ports are free again at once.

use std::{
    io::Read,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::channel,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// Accepts connections and closes them, until the process ends.
pub fn listen(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("bind {address}"))?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        drop(stream?);
    }
    Ok(())
}

/// Opens so many connections, and says how much CPU time of this side one took from its SYN to its
/// end. After each of the batches it rests, so that who watches can follow.
pub fn connect(address: SocketAddr, batches: u32) -> Result<Value> {
    let (_never, rest) = channel::<()>();
    let before = cpu_time()?;
    for _ in 0..batches {
        for _ in 0..BATCH {
            once(address)?;
        }
        // Nobody sends, so this takes its time.
        let _late = rest.recv_timeout(REST);
    }
    let took = cpu_time()?.saturating_sub(before);
    let mean = took.as_secs_f64() * 1e6 / f64::from(batches * BATCH);
    Ok(json!({"connections": batches * BATCH, "cpu_us": mean}))
}

fn cpu_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

fn once(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("connect {address}"))?;
    ensure!(stream.read(&mut [0])? == 0, "the server says something");
    Ok(())
}

/// Connections between two rests.
pub const BATCH: u32 = 500;
const REST: Duration = Duration::from_millis(25);
