//! An open loop: requests at fixed times, spread over the connections, whatever the answers take.
//!
//! **Invariant:** a request is as late as it ended after it was due, so that one that waits for the
//! answer before it counts its waiting (coordinated omission).

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::TcpStream,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};

use super::{
    super::load::{Load, Seen},
    window::Began,
};
use crate::wire::duct::Answer;

/// Warms up, then measures.
pub(super) fn measure(load: &Load) -> Result<Seen> {
    let mut pace = Pace::new(load)?;
    pace.run_for(load.warm_up())?;
    pace.times.clear();
    let began = Began::now(load)?;
    pace.run_for(load.period())?;
    began.cost(load)?.seen(pace.times, None)
}

/// The connections, and what is due.
struct Pace {
    lines: Vec<Line>,
    request: String,
    began: Instant,
    /// How long from one request to the next.
    step: Duration,
    /// How many requests came due.
    number: u32,
    times: Vec<Duration>,
}

/// A connection.
struct Line {
    stream: TcpStream,
    /// When its requests were due that wait for the one before.
    waiting: VecDeque<Instant>,
    /// When the one was due that is being answered.
    asked: Option<Instant>,
    received: Vec<u8>,
}

impl Pace {
    fn new(load: &Load) -> Result<Self> {
        ensure!(load.rate > 0, "no --rate");
        let lines = (0..load.connections).map(|_| Line::dial(load));
        Ok(Self {
            lines: lines.collect::<Result<_>>()?,
            request: load.request(),
            began: Instant::now(),
            step: Duration::from_secs(1) / load.rate,
            number: 0,
            times: Vec::new(),
        })
    }

    fn run_for(&mut self, period: Duration) -> Result<()> {
        let end = Instant::now() + period;
        while Instant::now() < end {
            let now = Instant::now();
            while self.next() <= now {
                let (due, number) = (self.next(), self.number as usize % self.lines.len());
                self.lines.get_mut(number).context("no connections")?.waiting.push_back(due);
                self.number += 1;
            }
            for line in &mut self.lines {
                line.ask(&self.request)?;
            }
            self.answers()?;
        }
        Ok(())
    }

    /// When the next request is due.
    fn next(&self) -> Instant {
        self.began + self.step * self.number
    }

    /// Takes what answers come until the next request is due.
    fn answers(&mut self) -> Result<()> {
        let patience = TimeSpec::from_duration(self.next() - Instant::now());
        let watched = |line: &Line| match line.asked {
            Some(_) => PollFlags::POLLIN,
            None => PollFlags::empty(),
        };
        let polled = self.lines.iter().map(|line| PollFd::new(line.stream.as_fd(), watched(line)));
        let mut polled: Vec<_> = polled.collect();
        match ppoll(&mut polled, Some(patience), None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => bail!("poll: {error}"),
        }
        let ready: Vec<bool> = polled.iter().map(|one| one.any().unwrap_or_default()).collect();
        for (line, _) in self.lines.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            self.times.extend(line.receive()?);
        }
        Ok(())
    }
}

impl Line {
    fn dial(load: &Load) -> Result<Self> {
        let stream = TcpStream::connect(load.connect).context("dial")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, waiting: VecDeque::new(), asked: None, received: Vec::new() })
    }

    /// Asks, if something is due and nothing is being answered.
    fn ask(&mut self, request: &str) -> Result<()> {
        if self.asked.is_some() {
            return Ok(());
        }
        self.asked = self.waiting.pop_front();
        if self.asked.is_some() {
            // A request is far smaller than the buffer of a socket.
            self.stream.write_all(request.as_bytes()).context("a request")?;
        }
        Ok(())
    }

    /// Reads what came; yields how late the answer was, if it is all there.
    fn receive(&mut self) -> Result<Option<Duration>> {
        let mut bytes = [0; 8192];
        match self.stream.read(&mut bytes) {
            Ok(0) => bail!("the connection ended"),
            Ok(count) => self.received.extend_from_slice(bytes.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("an answer"),
        }
        let Some((head, answer)) = Answer::begin(&self.received)? else { return Ok(None) };
        ensure!(answer.status == 200, "a request was answered {}", answer.status);
        if self.received.len() < head + answer.length {
            return Ok(None);
        }
        self.received.clear();
        Ok(self.asked.take().map(|due| due.elapsed()))
    }
}

#[cfg(test)]
mod tests;
