//! News of the host's links: that some came, went or changed, not which.
//!
//! Whoever follows looks at the links again, so that nothing hangs on a message that was lost. A
//! pod's veth cannot come or go without such news, even when a namespace is made again under the
//! same name; a change that stays inside a pod, such as a new address, is no news here.
//!
//! **Invariant:** a change after [`watch`] returned is reported by a later [`LinkChanges::next`],
//! even if the kernel had no room for the message.

use std::{io, time::Duration};

use futures_util::FutureExt;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket, protocols::NETLINK_ROUTE};
use nix::libc::{ENOBUFS, RTNLGRP_LINK};

use super::netlink::Error;

/// A subscription to changes of links.
pub struct LinkChanges {
    socket: TokioSocket,
    /// Something changed that was not reported yet.
    pending: bool,
}

/// Subscribes to the links of the calling thread's namespace; needs a tokio runtime.
pub fn watch() -> Result<LinkChanges, Error> {
    let mut socket = TokioSocket::new(NETLINK_ROUTE).map_err(Error::Socket)?;
    let links = 1 << (RTNLGRP_LINK - 1);
    socket.socket_mut().bind(&SocketAddr::new(0, links)).map_err(Error::Socket)?;
    Ok(LinkChanges { socket, pending: false })
}

impl LinkChanges {
    /// Waits until something changed, and a little longer, so that what changes together is
    /// reported together. Nothing is lost if it is dropped before it is done.
    pub async fn next(&mut self) -> Result<(), Error> {
        if !self.pending {
            self.receive().await?;
            self.pending = true;
        }
        tokio::time::sleep(DEBOUNCE).await;
        for _ in 0..DRAINED_MESSAGES {
            match self.receive().now_or_never() {
                Some(outcome) => outcome?,
                None => break,
            }
        }
        self.pending = false;
        Ok(())
    }

    async fn receive(&mut self) -> Result<(), Error> {
        let mut ignored = Vec::with_capacity(MESSAGE_BYTES);
        match self.socket.recv(&mut ignored).await {
            Err(error) if !is_overflow(&error) => Err(Error::Socket(error)),
            _ => Ok(()),
        }
    }
}

/// The kernel had more messages than room: something changed, that is all there is to know.
fn is_overflow(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ENOBUFS)
}

/// Making a pod's veth takes a runtime several steps, each of them news.
const DEBOUNCE: Duration = Duration::from_millis(5);
/// Bounds the time in [`LinkChanges::next`]; what is left over is reported by the next one.
const DRAINED_MESSAGES: usize = 1024;
/// Longer messages are cut, which is no loss.
const MESSAGE_BYTES: usize = 4096;
