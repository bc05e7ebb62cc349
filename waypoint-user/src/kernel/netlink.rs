//! Netlink: one request at a time, on a blocking socket.
//!
//! It subscribes to nothing (see `links`) and remembers nothing between requests. A socket belongs
//! to the network namespace of the thread that opened it, whichever thread uses it afterwards.
//!
//! **Invariant:** a listing that was interrupted by a change is asked for again, never used.

use std::{fmt::Debug, io, marker::PhantomData};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkBuffer,
    NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_sys::{SocketAddr, protocols};

pub(super) use self::link::veth_pair;
pub use self::{error::Error, link::Link};

mod error;
mod link;

/// A netlink socket that speaks one family of messages.
#[derive(Debug)]
pub struct Socket<M> {
    inner: netlink_sys::Socket,
    sequence: u32,
    buffer: Vec<u8>,
    messages: PhantomData<fn(M) -> M>,
}

/// Links, addresses, routes, rules, neighbours and namespace numbers.
pub type RouteSocket = Socket<RouteNetlinkMessage>;

/// Sockets of other programs.
pub type DiagSocket = Socket<SockDiagMessage>;

impl RouteSocket {
    /// Opens a socket in the calling thread's network namespace.
    pub fn open() -> Result<Self, Error> {
        Self::of_protocol(protocols::NETLINK_ROUTE)
    }
}

impl DiagSocket {
    /// Opens a socket in the calling thread's network namespace.
    pub fn open() -> Result<Self, Error> {
        Self::of_protocol(protocols::NETLINK_SOCK_DIAG)
    }
}

impl<M: Debug + NetlinkSerializable + NetlinkDeserializable> Socket<M> {
    fn of_protocol(protocol: isize) -> Result<Self, Error> {
        let inner = netlink_sys::Socket::new(protocol).map_err(Error::Socket)?;
        Ok(Self { inner, sequence: 0, buffer: Vec::new(), messages: PhantomData })
    }

    /// Lists; `what` is for the error.
    pub(super) fn list(&mut self, request: &M, what: &str) -> Result<Vec<M>, Error>
    where
        M: Clone,
    {
        for _ in 0..LISTING_ATTEMPTS {
            let answer = self.exchange(request.clone(), NLM_F_DUMP, what)?;
            if !answer.interrupted {
                return Ok(answer.messages);
            }
        }
        Err(Error::Restless { what: what.to_owned() })
    }

    /// Asks for one thing.
    pub(super) fn ask(&mut self, request: M, what: &str) -> Result<Option<M>, Error> {
        Ok(self.exchange(request, NLM_F_ACK, what)?.messages.pop())
    }

    /// Changes or deletes what is there.
    pub(super) fn change(&mut self, request: M, what: &str) -> Result<(), Error> {
        self.exchange(request, NLM_F_ACK, what).map(drop)
    }

    /// Makes what is not there yet.
    pub(super) fn create(&mut self, request: M, what: &str) -> Result<(), Error> {
        self.exchange(request, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, what).map(drop)
    }

    /// Makes it, in the place of what is there.
    pub(super) fn replace(&mut self, request: M, what: &str) -> Result<(), Error> {
        self.exchange(request, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, what).map(drop)
    }

    fn exchange(&mut self, request: M, flags: u16, what: &str) -> Result<Answer<M>, Error> {
        self.send(request, flags)?;
        let mut answer = Answer { messages: Vec::new(), interrupted: false };
        loop {
            for message in self.receive(what)? {
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                answer.interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => answer.messages.push(inner),
                    NetlinkPayload::Done(done) => return refusal(done.code, what).map(|()| answer),
                    NetlinkPayload::Error(error) => {
                        return refusal(error.raw_code(), what).map(|()| answer);
                    }
                    _ => {}
                }
            }
        }
    }

    fn send(&mut self, request: M, flags: u16) -> Result<(), Error> {
        self.sequence = self.sequence.wrapping_add(1);
        let payload = NetlinkPayload::InnerMessage(request);
        let mut message = NetlinkMessage::new(NetlinkHeader::default(), payload);
        message.header.flags = NLM_F_REQUEST | flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let kernel = SocketAddr::new(0, 0);
        self.inner.send_to(&bytes, &kernel, 0).map(drop).map_err(Error::Socket)
    }

    fn receive(&mut self, what: &str) -> Result<Vec<NetlinkMessage<M>>, Error> {
        self.buffer.clear();
        self.buffer.reserve(RECEIVE_BYTES);
        while let Err(error) = self.inner.recv(&mut self.buffer, 0) {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(Error::Socket(error));
            }
        }
        parse(&self.buffer).ok_or_else(|| Error::Malformed { what: what.to_owned() })
    }
}

struct Answer<M> {
    messages: Vec<M>,
    interrupted: bool,
}

/// Splits a datagram into its messages; `None` if its framing is broken. A message that is framed
/// but not understood, such as an exotic link's, is passed over.
fn parse<M: NetlinkDeserializable>(mut rest: &[u8]) -> Option<Vec<NetlinkMessage<M>>> {
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let length = usize::try_from(NetlinkBuffer::new_checked(rest).ok()?.length()).ok()?;
        match NetlinkMessage::deserialize(rest.get(..length)?) {
            Ok(message) => messages.push(message),
            Err(error) => tracing::debug!(%error, "netlink message passed over"),
        }
        rest = rest.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
    }
    Some(messages)
}

fn refusal(code: i32, what: &str) -> Result<(), Error> {
    if code == 0 {
        return Ok(());
    }
    let source = io::Error::from_raw_os_error(code.saturating_abs());
    Err(Error::Refused { what: what.to_owned(), source })
}

/// The kernel writes a listing in pieces of at most 32 KiB.
const RECEIVE_BYTES: usize = 64 * 1024;
const LISTING_ATTEMPTS: usize = 16;
const ALIGNMENT: usize = 4;
/// `linux/netlink.h`: something changed while the listing was written.
const NLM_F_DUMP_INTR: u16 = 0x10;

#[cfg(test)]
mod tests;
