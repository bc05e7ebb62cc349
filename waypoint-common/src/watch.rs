//! What the `watch` program tells of TCP connections, through the `flows` ring buffer.
//!
//! It tells of every connection of an enrolled pod, whoever carries it, when it is established and
//! when it ends.

use crate::addr::Addr;

/// Values of [`Flow::kind`].
pub mod kind {
    /// The connection was established.
    pub const OPENED: u32 = 1;
    /// The connection ended.
    pub const CLOSED: u32 = 2;
}

/// Bits of [`Flow::flags`].
pub mod flow_flag {
    /// The pod opened the connection; otherwise it accepted it.
    pub const INITIATED: u32 = 1;
}

/// One connection, as its socket in the pod saw it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flow {
    /// `bpf_ktime_get_ns` now.
    pub time_ns: u64,
    /// `bpf_ktime_get_ns` when it was established.
    pub start_ns: u64,
    /// What tells the socket from every other.
    pub cookie: u64,
    /// Bytes that the other side acknowledged.
    pub sent: u64,
    /// Bytes that came from the other side.
    pub received: u64,
    /// One of [`kind`].
    pub kind: u32,
    /// Bits of [`flow_flag`].
    pub flags: u32,
    /// The pod's address.
    pub local: Addr,
    /// The other side's.
    pub remote: Addr,
    /// The pod's port, network byte order.
    pub local_port: u16,
    /// The other side's port, network byte order.
    pub remote_port: u16,
    /// Smoothed round-trip time in microseconds.
    pub srtt_us: u32,
    /// Segments that were sent again.
    pub retransmissions: u32,
    /// Explicit padding.
    pub pad: u32,
}

impl Flow {
    /// Reads a record as the ring buffer holds it; `None` if it has another size.
    pub fn read(record: &[u8]) -> Option<Self> {
        let (time_ns, rest) = record.split_first_chunk()?;
        let (start_ns, rest) = rest.split_first_chunk()?;
        let (cookie, rest) = rest.split_first_chunk()?;
        let (sent, rest) = rest.split_first_chunk()?;
        let (received, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (flags, rest) = rest.split_first_chunk()?;
        let (local, rest) = rest.split_first_chunk()?;
        let (remote, rest) = rest.split_first_chunk()?;
        let (local_port, rest) = rest.split_first_chunk()?;
        let (remote_port, rest) = rest.split_first_chunk()?;
        let (srtt_us, rest) = rest.split_first_chunk()?;
        let (retransmissions, rest) = rest.split_first_chunk()?;
        Some(Self {
            time_ns: u64::from_ne_bytes(*time_ns),
            start_ns: u64::from_ne_bytes(*start_ns),
            cookie: u64::from_ne_bytes(*cookie),
            sent: u64::from_ne_bytes(*sent),
            received: u64::from_ne_bytes(*received),
            kind: u32::from_ne_bytes(*kind),
            flags: u32::from_ne_bytes(*flags),
            local: Addr::v6(*local),
            remote: Addr::v6(*remote),
            local_port: u16::from_ne_bytes(*local_port),
            remote_port: u16::from_ne_bytes(*remote_port),
            srtt_us: u32::from_ne_bytes(*srtt_us),
            retransmissions: u32::from_ne_bytes(*retransmissions),
            pad: u32::from_ne_bytes(rest.try_into().ok()?),
        })
    }
}

/// A connection that is open, found by its socket's cookie.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Open {
    /// `bpf_ktime_get_ns` when it was established.
    pub start_ns: u64,
    /// Bits of [`flow_flag`].
    pub flags: u32,
    /// Explicit padding.
    pub pad: u32,
}

const _: () = assert!(size_of::<Flow>() == 96);
const _: () = assert!(size_of::<Open>() == 16);
crate::pod!(Flow, Open);

/// Size of the ring buffer in bytes; when it is full records are lost and counted, connections are
/// not disturbed.
pub const RING_BYTES: u32 = 1024 * 1024;

/// Open connections that are remembered; beyond, the ones that were touched longest ago are
/// forgotten, and their end is told with a duration of zero.
pub const OPEN_MAX: u32 = 65_536;
