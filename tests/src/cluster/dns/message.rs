//! Questions and answers of DNS as bytes (RFC 1035, section 4): one question, its answers.

use std::net::IpAddr;

/// A question for one name.
#[derive(Debug)]
pub(super) struct Question<'p> {
    /// In lower case, without the dot at the end.
    pub(super) name: String,
    pub(super) kind: Kind,
    id: &'p [u8],
    /// The question itself, which the answer repeats.
    text: &'p [u8],
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Anything else.
    Other,
}

/// What is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    NoSuchName,
    /// Possibly none of the kind that is asked for.
    Addresses(Vec<IpAddr>),
}

impl Kind {
    /// By which an address is asked for.
    pub(super) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::A } else { Self::Aaaa }
    }

    fn read(number: u16) -> Self {
        match number {
            1 => Self::A,
            28 => Self::Aaaa,
            _ => Self::Other,
        }
    }
}

impl<'p> Question<'p> {
    /// Reads a packet that asks one question; nothing if it is anything else.
    pub(super) fn read(packet: &'p [u8]) -> Option<Self> {
        let id = packet.get(..2)?;
        let is_query = packet.get(2)? & 0xf8 == 0;
        if !is_query || packet.get(4..6)? != [0, 1] {
            return None;
        }
        let (mut labels, mut at) = (Vec::new(), HEAD);
        loop {
            let length = usize::from(*packet.get(at)?);
            let label = packet.get(at + 1..at + 1 + length).filter(|_| length < 64)?;
            at += 1 + length;
            if label.is_empty() {
                break;
            }
            labels.push(String::from_utf8_lossy(label).to_lowercase());
        }
        let kind = <[u8; 2]>::try_from(packet.get(at..at + 2)?).ok()?;
        let (name, kind) = (labels.join("."), Kind::read(u16::from_be_bytes(kind)));
        Some(Self { name, kind, id, text: packet.get(HEAD..at + 4)? })
    }

    /// The packet that answers it.
    pub(super) fn answer(&self, answer: &Answer) -> Vec<u8> {
        let (code, addresses) = match answer {
            Answer::NoSuchName => (NO_SUCH_NAME, &[][..]),
            Answer::Addresses(addresses) => (0, addresses.as_slice()),
        };
        let count = u8::try_from(addresses.len()).unwrap_or(u8::MAX);
        let mut packet = self.id.to_vec();
        packet.extend([ANSWER[0], ANSWER[1] | code, 0, 1, 0, count, 0, 0, 0, 0]);
        packet.extend(self.text);
        for address in addresses.iter().take(usize::from(count)) {
            let (kind, octets) = match address {
                IpAddr::V4(v4) => (1, v4.octets().to_vec()),
                IpAddr::V6(v6) => (28, v6.octets().to_vec()),
            };
            let length = u8::try_from(octets.len()).unwrap_or_default();
            packet.extend(THE_NAME);
            packet.extend([0, kind, 0, 1, 0, 0, 0, TTL_SECONDS, 0, length]);
            packet.extend(octets);
        }
        packet
    }
}

/// Bytes before the question.
const HEAD: usize = 12;
/// A response, authoritative, recursion asked for and offered.
const ANSWER: [u8; 2] = [0x85, 0x80];
const NO_SUCH_NAME: u8 = 3;
/// A pointer to the name in the question.
const THE_NAME: [u8; 2] = [0xc0, 12];
const TTL_SECONDS: u8 = 5;

#[cfg(test)]
mod tests;
