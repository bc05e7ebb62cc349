//! Copies bytes both ways between two streams.
//!
//! **Invariant:** nothing is read from one side while the other cannot take it.
//! **Invariant:** the end of one direction, said by whoever sends or by whoever takes no more, ends
//! only that direction; a reset ends both.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

use crate::proxy::limits::COPY_BUFFER_BYTES;

/// How copying ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::proxy) enum Ended {
    /// Both directions came to their end.
    Both,
    /// The client's side broke.
    ClientReset,
    /// The endpoint's side broke.
    UpstreamReset,
}

/// Hears of bytes when they were written.
pub(in crate::proxy) trait Count {
    /// Bytes from the client to the endpoint.
    fn sent_on(&self, bytes: u64);
    /// Bytes from the endpoint to the client.
    fn sent_back(&self, bytes: u64);
}

/// Copies until both directions ended or one side broke. `first` was read from the client already.
pub(in crate::proxy) async fn copy_both(
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    upstream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    first: Bytes,
    count: &impl Count,
) -> Ended {
    let (from_client, to_client) = split(client);
    let (from_upstream, to_upstream) = split(upstream);
    let up = copy(from_client, to_upstream, first, |bytes| count.sent_on(bytes));
    let down = copy(from_upstream, to_client, Bytes::new(), |bytes| count.sent_back(bytes));
    let up = async { up.await.map_err(|side| side.pick(Ended::ClientReset, Ended::UpstreamReset)) };
    let down =
        async { down.await.map_err(|side| side.pick(Ended::UpstreamReset, Ended::ClientReset)) };
    match futures_util::future::try_join(up, down).await {
        Ok(_) => Ended::Both,
        Err(broken) => broken,
    }
}

/// Which side of a direction broke.
enum Broken {
    Reader,
    Writer(io::ErrorKind),
}

impl Broken {
    /// The meaning for this direction.
    fn pick(&self, reader: Ended, writer: Ended) -> Ended {
        match self {
            Self::Reader => reader,
            Self::Writer(_) => writer,
        }
    }
}

/// Copies one direction to its end, and passes the end on; or until nobody takes more of it.
async fn copy(
    from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Unpin,
    first: Bytes,
    count: impl Fn(u64),
) -> Result<(), Broken> {
    match copy_all(from, to, first, count).await {
        // What comes back may still be on its way.
        Err(Broken::Writer(io::ErrorKind::BrokenPipe)) => Ok(()),
        ended => ended,
    }
}

async fn copy_all(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    first: Bytes,
    count: impl Fn(u64),
) -> Result<(), Broken> {
    let writer = |cause: io::Error| Broken::Writer(cause.kind());
    if !first.is_empty() {
        to.write_all(&first).await.map_err(writer)?;
        count(first.len() as u64);
    }
    drop(first);
    let mut sizes = COPY_BUFFER_BYTES.into_iter();
    let mut buffer = vec![0; sizes.next().unwrap_or_default()];
    loop {
        let read = from.read(&mut buffer).await.map_err(|_| Broken::Reader)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return to.shutdown().await.map_err(writer);
        };
        to.write_all(bytes).await.map_err(writer)?;
        to.flush().await.map_err(writer)?;
        count(read as u64);
        if read == buffer.len()
            && let Some(size) = sizes.next()
        {
            buffer = vec![0; size];
        }
    }
}

#[cfg(test)]
mod tests;
