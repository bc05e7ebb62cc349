//! Many requests at a steady rate while something else happens.
//!
//! Each request has a connection of its own, so that every moment of an event meets a new one.

use std::{
    fs::File,
    net::{SocketAddr, TcpStream},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use nix::sched::{CloneFlags, setns};

use super::{
    client::Call,
    http::{Connection, Request},
};

/// Requests that go on until it is finished or dropped.
#[derive(Debug)]
pub struct Load {
    callers: Vec<(Sender<()>, JoinHandle<Result<Tally>>)>,
}

/// What became of them.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many were sent.
    pub sent: usize,
    /// What went wrong, and when.
    pub failures: Vec<String>,
}

impl Call<'_> {
    /// Sends this call again and again, so many times a second.
    pub fn load(&self, per_second: u32) -> Result<Load> {
        let (address, request) = (self.address()?, self.request().clone());
        let interval = Duration::from_secs(1) * CALLERS / per_second;
        let start = Instant::now();
        let spawn = |number| -> Result<_> {
            let namespace = File::open(self.netns()?.path())?;
            let (stop, stopped) = channel();
            let request = request.clone();
            let begin = start + interval * number / CALLERS;
            let caller = thread::spawn(move || {
                setns(namespace, CloneFlags::CLONE_NEWNET)?;
                Ok(call(address, &request, Clock { start, next: begin, interval }, &stopped))
            });
            Ok((stop, caller))
        };
        Ok(Load { callers: (0..CALLERS).map(spawn).collect::<Result<_>>()? })
    }
}

impl Load {
    /// Waits for the requests under way, and counts.
    pub fn finish(self) -> Result<Tally> {
        let mut all = Tally::default();
        for (stop, caller) in self.callers {
            drop(stop);
            let tally = caller.join().map_err(|_| anyhow!("a caller panicked"))??;
            all.sent += tally.sent;
            all.failures.extend(tally.failures);
        }
        ensure!(all.sent > 0, "not one request was sent");
        Ok(all)
    }
}

/// When the next request is due.
#[derive(Clone, Copy, Debug)]
struct Clock {
    start: Instant,
    next: Instant,
    interval: Duration,
}

fn call(address: SocketAddr, request: &Request, mut clock: Clock, stopped: &Receiver<()>) -> Tally {
    let mut tally = Tally::default();
    loop {
        let pause = clock.next.saturating_duration_since(Instant::now());
        if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return tally;
        }
        clock.next += clock.interval;
        tally.sent += 1;
        let sent = clock.start.elapsed();
        if let Err(error) = once(address, request) {
            let (sent, ended) = (sent.as_millis(), clock.start.elapsed().as_millis());
            tally
                .failures
                .push(format!("sent after {sent} ms, failed after {ended} ms: {error:#}"));
        }
    }
}

fn once(address: SocketAddr, request: &Request) -> Result<()> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).context("connect")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let reply = Connection::over(stream).exchange(request)?;
    ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
    Ok(())
}

const CALLERS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(10);
