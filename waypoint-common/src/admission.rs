//! Who may open a connection to a pod: the tables, and the decision over them.
//!
//! [`admit`] is pure, as [`decide`](crate::redirect::decide) is. It knows addresses only: what an
//! address is worth is for the network to say, and identities are the agent's.
//!
//! **Invariant:** only the first packet of a connection is ever refused here; what was let in
//! stays.

use crate::{
    addr::Addr,
    counter::Reason,
    redirect::{Segment, Verdict},
};

/// For which connections a [`Rule`] holds: those to a pod's address and port.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct RuleKey {
    /// The pod's address.
    pub addr: Addr,
    /// Port in network byte order; zero stands for every port without a rule of its own.
    pub port: u16,
    /// Explicit padding.
    pub pad: u16,
}

impl RuleKey {
    /// The key of an address and a port, which is in network byte order.
    #[inline(always)]
    pub const fn new(addr: Addr, port: u16) -> Self {
        Self { addr, port, pad: 0 }
    }
}

/// Values of [`Rule::mode`].
pub mod mode {
    /// Connections that do not come from a waypoint pass.
    pub const OFF: u8 = 0;
    /// They pass and are counted.
    pub const COUNT: u8 = 1;
    /// They are refused, and counted.
    pub const STRICT: u8 = 2;
}

/// Bits of [`Rule::flags`].
pub mod rule_flag {
    /// Whatever is no tunnel is refused, whoever sends it.
    pub const MUTUAL_TLS: u8 = 1;
}

/// What happens to connections to a [`RuleKey`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rule {
    /// One of [`mode`]; what is none of them refuses.
    pub mode: u8,
    /// Bits of [`rule_flag`].
    pub flags: u8,
    /// Explicit padding.
    pub pad: [u8; 6],
    /// The set of addresses of the pod's waypoints.
    pub set: u64,
}

impl Rule {
    /// Whether a connection could be refused by it.
    #[inline(always)]
    pub const fn refuses(&self) -> bool {
        self.mode > mode::COUNT || self.flags & rule_flag::MUTUAL_TLS != 0
    }
}

/// An address in a set.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct SourceKey {
    /// The set, as [`Rule::set`] names it.
    pub set: u64,
    /// The address.
    pub addr: Addr,
}

/// Two ends whose connections pass the destination's waypoints by.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct Bypass {
    /// Who connects.
    pub source: Addr,
    /// The pod's address.
    pub destination: Addr,
    /// Why that is noted: [`Reason::Bypassing`], [`Reason::NotAdmitted`] or [`Reason::Plaintext`]
    /// as a number.
    pub reason: u32,
}

const _: () = assert!(size_of::<RuleKey>() == 20);
const _: () = assert!(size_of::<Rule>() == 16);
const _: () = assert!(size_of::<SourceKey>() == 24);
const _: () = assert!(size_of::<Bypass>() == 36);
crate::pod!(RuleKey, Rule, SourceKey, Bypass);

/// Sizes of the maps.
pub mod limit {
    /// Rules; each pod has one for each address, and one for each exempt port.
    pub const ADMIT: u32 = 65_536;
    /// Addresses in sets.
    pub const ADMIT_SRC: u32 = 131_072;
    /// Control groups.
    pub const EXEMPT_CG: u32 = 64;
    /// Addresses of the node.
    pub const EXEMPT_SRC: u32 = 1024;
    /// Pairs of ends; the one that was seen longest ago makes room.
    pub const BYPASSING: u32 = 16_384;
}

/// What the decision may ask of the maps and of the packet.
pub trait Gate {
    /// The rule of exactly this key.
    fn rule(&self, key: &RuleKey) -> Option<Rule>;
    /// Whether an address is in a set.
    fn is_source(&self, key: &SourceKey) -> bool;
    /// Whether the segment comes from a process of this node that may always connect.
    fn is_exempt(&self, segment: &Segment) -> bool;
}

/// Decides what happens to a packet for a pod that is no tunnel's.
#[inline(always)]
pub fn admit<T: Gate>(segment: &Segment, gate: &T) -> Verdict {
    if !segment.opens {
        return Verdict::Pass(Reason::NotInbound);
    }
    let exact = gate.rule(&RuleKey::new(segment.destination, segment.destination_port));
    let found = match exact {
        Some(rule) => Some(rule),
        None => gate.rule(&RuleKey::new(segment.destination, 0)),
    };
    let Some(rule) = found else { return Verdict::Pass(Reason::NotInbound) };
    let mutual_tls = rule.flags & rule_flag::MUTUAL_TLS != 0;
    if rule.mode == mode::OFF && !mutual_tls {
        return Verdict::Pass(Reason::NotInbound);
    }
    if gate.is_exempt(segment) {
        return Verdict::Pass(Reason::Exempt);
    }
    if mutual_tls {
        return Verdict::Refuse(Reason::Plaintext);
    }
    if gate.is_source(&SourceKey { set: rule.set, addr: segment.source }) {
        return Verdict::Pass(Reason::NotInbound);
    }
    if rule.mode == mode::COUNT {
        Verdict::Pass(Reason::Bypassing)
    } else {
        Verdict::Refuse(Reason::NotAdmitted)
    }
}

#[cfg(test)]
mod tests;
