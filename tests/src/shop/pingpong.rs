//! A ping-pong over one connection, to measure the latency of a path.
//!
//! It pins itself to no CPU; run it under `taskset`.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Answers each message of each connection with the same bytes, until the process ends.
pub fn listen(address: SocketAddr, size: usize) -> Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("bind {address}"))?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let mut stream = stream?;
        stream.set_nodelay(true)?;
        thread::spawn(move || {
            let mut message = vec![0; size];
            while stream.read_exact(&mut message).and_then(|()| stream.write_all(&message)).is_ok()
            {
            }
        });
    }
    Ok(())
}

/// Sends `rounds` messages one after another and says how long the answers took.
pub fn connect(address: SocketAddr, rounds: usize, size: usize) -> Result<Value> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("connect {address}"))?;
    stream.set_nodelay(true)?;
    let mut message = vec![b'w'; size];
    let mut times = Vec::with_capacity(rounds);
    for round in 0..rounds + rounds / WARM_UP_SHARE {
        let start = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        if round >= rounds / WARM_UP_SHARE {
            times.push(start.elapsed());
        }
    }
    times.sort_unstable();
    Ok(json!({
        "rounds": rounds,
        "size": size,
        "p50_us": microseconds(percentile(&times, 50)),
        "p99_us": microseconds(percentile(&times, 99)),
    }))
}

/// The smallest of the sorted times that is not below this share of them.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// One tenth of the rounds comes before the measurement.
const WARM_UP_SHARE: usize = 10;

#[cfg(test)]
mod tests;
