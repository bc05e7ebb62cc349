//! Frames as a pod sends them, built byte by byte, and the checksum that a receiver would verify.

use std::net::IpAddr;

/// A TCP segment in an Ethernet frame; change what a test is about.
#[derive(Clone)]
pub(crate) struct Tcp {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) ports: (u16, u16),
    pub(crate) flags: u8,
    pub(crate) sequence: u32,
    /// Bytes of IPv4 options.
    pub(crate) ip_options: Vec<u8>,
    /// The IPv4 fragment offset field, with its flags.
    pub(crate) fragment: u16,
    /// IPv6 extension headers: their number and their bytes without the first.
    pub(crate) extensions: Vec<(u8, Vec<u8>)>,
}

impl Tcp {
    /// A SYN.
    pub(crate) fn syn(source: &str, destination: &str, port: u16) -> Self {
        Self {
            source: source.parse().expect("an address"),
            destination: destination.parse().expect("an address"),
            ports: (40_000, port),
            flags: SYN,
            sequence: 0x0102_0304,
            ip_options: Vec::new(),
            fragment: 0x4000,
            extensions: Vec::new(),
        }
    }

    /// The same segment with other flags.
    pub(crate) fn flags(self, flags: u8) -> Self {
        Self { flags, ..self }
    }

    /// The frame.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let (network, ethertype) = match (self.source, self.destination) {
            (IpAddr::V4(s), IpAddr::V4(d)) => (self.ipv4(s.octets(), d.octets()), [8, 0]),
            (IpAddr::V6(s), IpAddr::V6(d)) => (self.ipv6(s.octets(), d.octets()), [0x86, 0xdd]),
            _ => panic!("a packet has one family"),
        };
        [&GATEWAY_MAC[..], &POD_MAC, &ethertype, &network, &self.segment()].concat()
    }

    fn ipv4(&self, source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
        let words = 5 + self.ip_options.len() / 4;
        let total = u16::try_from(words * 4 + SEGMENT_BYTES).expect("a short packet");
        let mut header = vec![0x40 | u8::try_from(words).expect("at most 15"), 0];
        header.extend(total.to_be_bytes());
        header.extend([0, 1]);
        header.extend(self.fragment.to_be_bytes());
        header.extend([64, 6, 0, 0]);
        header.extend(source);
        header.extend(destination);
        header.extend(&self.ip_options);
        let checksum = fold(&header).to_be_bytes();
        header.splice(10..12, checksum);
        header
    }

    fn ipv6(&self, source: [u8; 16], destination: [u8; 16]) -> Vec<u8> {
        let mut following = Vec::new();
        let numbers: Vec<u8> = self.extensions.iter().map(|(number, _)| *number).collect();
        for (index, (_, bytes)) in self.extensions.iter().enumerate() {
            following.push(numbers.get(index + 1).copied().unwrap_or(6));
            following.extend(bytes);
        }
        let length = u16::try_from(following.len() + SEGMENT_BYTES).expect("a short packet");
        let mut header = vec![0x60, 0, 0, 0];
        header.extend(length.to_be_bytes());
        header.extend([numbers.first().copied().unwrap_or(6), 64]);
        header.extend(source);
        header.extend(destination);
        header.extend(following);
        header
    }

    fn segment(&self) -> Vec<u8> {
        let mut segment = Vec::new();
        segment.extend(self.ports.0.to_be_bytes());
        segment.extend(self.ports.1.to_be_bytes());
        segment.extend(self.sequence.to_be_bytes());
        segment.extend([0; 4]);
        segment.extend([0x60, self.flags, 0xfa, 0xf0, 0, 0, 0, 0]);
        segment.extend([2, 4, 5, 0xb4]);
        let checksum = transport_checksum(self.source, self.destination, &segment).to_be_bytes();
        segment.splice(16..18, checksum);
        segment
    }
}

/// What remains of the TCP checksum of a segment; zero if it is right.
pub(crate) fn transport_checksum(source: IpAddr, destination: IpAddr, segment: &[u8]) -> u16 {
    let octets = |address| match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let length = u16::try_from(segment.len()).expect("a short segment").to_be_bytes();
    let pseudo: &[u8] = &[&octets(source)[..], &octets(destination), &[0, 6], &length].concat();
    fold(&[pseudo, segment].concat())
}

/// The Internet checksum (RFC 1071).
fn fold(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |b| u32::from(*b)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

pub(crate) const SYN: u8 = 0x02;
pub(crate) const ACK: u8 = 0x10;
pub(crate) const RST_ACK: u8 = 0x14;
pub(crate) const POD_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(crate) const GATEWAY_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// A TCP header with one option of four bytes.
const SEGMENT_BYTES: usize = 24;
