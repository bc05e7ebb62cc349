//! The memory of connections on which nothing happens.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use bytes::BytesMut;
use http::HeaderMap;
use tokio::time;

use super::{stage::Stage, subject::Running, target::Target, usage};

/// What the row is called.
pub(super) const NAME: &str = "idle HBONE connection";

/// KiB of resident memory for each connection that has one tunnel, one request long ago.
pub(super) fn measure(stage: &Stage, running: &Running) -> Result<f64> {
    stage.run(async {
        let mut held = Vec::new();
        for _ in 0..FIRST {
            held.push(open(&running.target).await?);
        }
        let before = settled(running).await?;
        for _ in 0..COUNT {
            held.push(open(&running.target).await?);
        }
        let after = settled(running).await?;
        ensure!(held.len() == FIRST + COUNT, "a connection is missing");
        let grown = u32::try_from(after.saturating_sub(before))?;
        Ok(f64::from(grown) / f64::from(u32::try_from(COUNT)?))
    })
}

/// Resident KiB, once they have not changed for a while.
async fn settled(running: &Running) -> Result<u64> {
    let mut ticks = time::interval(TICK);
    let (mut kib, mut unchanged) = (0, 0);
    for _ in 0..TICKS_MAX {
        ticks.tick().await;
        let now = usage::resident_kib(running.process)?;
        unchanged = if now == kib { unchanged + 1 } else { 0 };
        kib = now;
        if unchanged == TICKS {
            return Ok(kib);
        }
    }
    bail!("the memory of the proxy did not settle")
}

/// A connection with a tunnel that has carried one request.
async fn open(target: &Target) -> Result<impl Sized> {
    let mut connection = target.dial().await?;
    let mut duct = connection.connect(&target.authority, HeaderMap::new()).await?;
    duct.exchange(target.request(), &mut BytesMut::new()).await?;
    Ok((connection, duct))
}

/// They make the proxy allocate what it allocates once.
const FIRST: usize = 50;
const COUNT: usize = 2000;
const TICK: Duration = Duration::from_millis(250);
const TICKS: u32 = 8;
const TICKS_MAX: u32 = 120;
