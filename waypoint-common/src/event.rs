//! What the kernel side tells about a single packet, through the `events` ring buffer.
//!
//! It is sampled: counters are exact, events are examples.

use crate::addr::Addr;

/// One packet that met a noteworthy reason.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event {
    /// `bpf_ktime_get_ns` at the time of the packet.
    pub time_ns: u64,
    /// [`Reason`](crate::counter::Reason) as a number.
    pub reason: u32,
    /// Interface the packet came from.
    pub ifindex: u32,
    /// Source address.
    pub source: Addr,
    /// Destination address.
    pub destination: Addr,
    /// Source port, network byte order.
    pub source_port: u16,
    /// Destination port, network byte order.
    pub destination_port: u16,
    /// Slot of the pod, zero if there is none.
    pub slot: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// Explicit padding.
    pub pad: u8,
    /// For later use, zero.
    pub reserve: u64,
}

impl Event {
    /// Reads a record as the ring buffer holds it; `None` if it has another size.
    pub fn read(record: &[u8]) -> Option<Self> {
        let (time_ns, rest) = record.split_first_chunk()?;
        let (reason, rest) = rest.split_first_chunk()?;
        let (ifindex, rest) = rest.split_first_chunk()?;
        let (source, rest) = rest.split_first_chunk()?;
        let (destination, rest) = rest.split_first_chunk()?;
        let (source_port, rest) = rest.split_first_chunk()?;
        let (destination_port, rest) = rest.split_first_chunk()?;
        let (slot, rest) = rest.split_first_chunk()?;
        let ([protocol, pad], rest) = rest.split_first_chunk()?;
        Some(Self {
            time_ns: u64::from_ne_bytes(*time_ns),
            reason: u32::from_ne_bytes(*reason),
            ifindex: u32::from_ne_bytes(*ifindex),
            source: Addr::v6(*source),
            destination: Addr::v6(*destination),
            source_port: u16::from_ne_bytes(*source_port),
            destination_port: u16::from_ne_bytes(*destination_port),
            slot: u16::from_ne_bytes(*slot),
            protocol: *protocol,
            pad: *pad,
            reserve: u64::from_ne_bytes(rest.try_into().ok()?),
        })
    }
}

const _: () = assert!(size_of::<Event>() == 64);
crate::pod!(Event);

/// Size of the ring buffer in bytes; when it is full events are lost, packets are not.
pub const RING_BYTES: u32 = 256 * 1024;

/// At most one event in this many nanoseconds for each reason and CPU.
pub const SAMPLE_INTERVAL_NS: u64 = 10_000_000;
