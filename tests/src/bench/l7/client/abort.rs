//! Clients that go away: in the middle of a request, before its answer, or in the middle of that.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use socket2::SockRef;

use super::{
    super::load::{Load, Seen},
    window::Began,
};

/// Goes away again and again, at the rate that is asked for.
pub(super) fn measure(load: &Load) -> Result<Seen> {
    let (began, at) = (Began::now(load)?, Instant::now());
    let mut times = Vec::new();
    for number in 0.. {
        let due = at + Duration::from_secs(1) / load.rate.max(1) * number;
        if due > at + load.period() {
            break;
        }
        let now = Instant::now();
        go_away(load, number, due.saturating_duration_since(now))?;
        times.push(now.elapsed());
    }
    began.cost(load)?.seen(times, None)
}

/// One connection, which is reset at a moment that its number says.
fn go_away(load: &Load, number: u32, patience: Duration) -> Result<()> {
    let mut stream = TcpStream::connect(load.connect).context("dial")?;
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    let request = load.request();
    // Some are cut inside their request, at another byte each time.
    let inside = (number as usize * 7) % request.len();
    let sent = if number.is_multiple_of(3) { inside } else { request.len() };
    stream.write_all(request.as_bytes().get(..sent).unwrap_or_default())?;
    // The rest wait for their turn, and then read nothing or a part.
    stream.set_read_timeout(Some(patience.max(Duration::from_micros(1))))?;
    let _nothing_yet = stream.read(&mut [0; 100]);
    Ok(())
}
