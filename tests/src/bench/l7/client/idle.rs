//! The memory of connections on which nothing happens.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use tokio::time;

use super::{
    super::load::{Load, Seen},
    connection::{Dialler, Line},
};
use crate::bench::usage;

/// KiB of resident memory of the proxy: without connections, and for each of those that had one
/// request long ago.
pub(super) async fn measure(load: &Load) -> Result<Seen> {
    let process = load.proxy.context("no --proxy")?;
    let (dialler, request) = (Dialler::new(load)?, Bytes::from(load.request()));
    let rss_kib = settled(process).await?;
    let mut held = Vec::with_capacity(load.connections + FIRST);
    for _ in 0..FIRST {
        held.push(open(&dialler, &request).await?);
    }
    let before = settled(process).await?;
    for number in 0..load.connections {
        let opened = open(&dialler, &request).await;
        held.push(opened.with_context(|| format!("connection {number}"))?);
    }
    let grown = settled(process).await? - before;
    ensure!(held.len() == load.connections + FIRST, "a connection is missing");
    let each_kib = grown / f64::from(u32::try_from(load.connections)?);
    Ok(Seen { rss_kib, each_kib, ..Seen::default() })
}

/// Resident KiB, once they have not changed for a while.
async fn settled(process: u32) -> Result<f64> {
    let mut ticks = time::interval(TICK);
    let (mut kib, mut unchanged) = (0, 0);
    for _ in 0..TICKS_MAX {
        ticks.tick().await;
        let now = usage::resident_kib(process)?;
        unchanged = if now == kib { unchanged + 1 } else { 0 };
        kib = now;
        if unchanged == TICKS {
            return Ok(f64::from(u32::try_from(kib)?));
        }
    }
    bail!("the memory of the proxy did not settle")
}

async fn open(dialler: &Dialler, request: &Bytes) -> Result<Line> {
    let mut line = dialler.line().await?;
    line.exchange(request.clone(), &mut BytesMut::new()).await?;
    Ok(line)
}

/// They make the proxy allocate what it allocates once.
const FIRST: usize = 50;
const TICK: Duration = Duration::from_millis(250);
const TICKS: u32 = 6;
const TICKS_MAX: u32 = 80;
