//! The memory of connections on which nothing happens.

use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::BytesMut;
use http::HeaderMap;
use tokio::time;

use super::{clients, stage::Stage, subject::Running};

/// What the row is called.
pub(super) const NAME: &str = "idle HBONE connection";

/// KiB of resident memory for each connection that has one tunnel, one request long ago.
pub(super) fn measure(stage: &Stage, running: &Running) -> Result<f64> {
    stage.run(async {
        let mut held = Vec::new();
        for _ in 0..FIRST {
            held.push(open(running).await?);
        }
        time::sleep(SETTLE).await;
        let before = running.proxy.resident_bytes()?;
        for _ in 0..COUNT {
            held.push(open(running).await?);
        }
        time::sleep(SETTLE).await;
        let after = running.proxy.resident_bytes()?;
        ensure!(held.len() == FIRST + COUNT, "a connection is missing");
        let grown = u32::try_from(after.saturating_sub(before) / 1024)?;
        Ok(f64::from(grown) / f64::from(u32::try_from(COUNT)?))
    })
}

/// A connection with a tunnel that has carried one request.
async fn open(running: &Running) -> Result<impl Sized> {
    let mut connection = clients::dial(running).await?;
    let mut duct = connection.connect(&running.authority, HeaderMap::new()).await?;
    duct.exchange(clients::request(running), &mut BytesMut::new()).await?;
    Ok((connection, duct))
}

/// They make the proxy allocate what it allocates once.
const FIRST: usize = 50;
const COUNT: usize = 2000;
const SETTLE: Duration = Duration::from_secs(2);
