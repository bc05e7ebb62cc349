//! The kernel ABI: what Waypoint's eBPF programs and its userspace must agree on, byte for byte,
//! and the decisions that both sides compile: [`redirect::decide`] about what a pod sends, and
//! [`arrival::receive`] about what it is sent.
//!
//! It does no I/O and knows nothing of Kubernetes; a type that does not cross the BPF boundary does
//! not belong here.
//!
//! | map | type | key | value | written by | read by |
//! |---|---|---|---|---|---|
//! | `cfg` | ARRAY 1 | `u32` 0 | [`redirect::Config`] | agent | every program |
//! | `wp_dst` | HASH | [`redirect::DestinationKey`] | [`redirect::Destination`] | agent | `from_pod` |
//! | `wp_net` | LPM_TRIE | [`addr::Addr`] by its leading bits | [`redirect::Range`] | agent | `from_pod` |
//! | `if_pod` | HASH | `u32` ifindex of the host side of a pod's veth | [`redirect::PodOfInterface`] | agent | `from_pod`, `to_pod` |
//! | `pod_if` | HASH | [`addr::Addr`] | [`redirect::InterfaceOfPod`] | agent | `from_agent`, `steer` |
//! | `lsn` | SOCKMAP | `u32` slot ([`redirect::slot`]) | a listening socket | agent | `from_pod`, `to_pod`, `steer` |
//! | `admit` | HASH | [`admission::RuleKey`] | [`admission::Rule`] | agent | `to_pod` |
//! | `admit_src` | HASH | [`admission::SourceKey`] | `u32` 0 | agent | `to_pod` |
//! | `exempt_cg` | HASH | `u64` control group | `u32` 0 | agent | `to_pod` |
//! | `exempt_src` | HASH | [`addr::Addr`] | `u32` 0 | agent | `to_pod` |
//! | `bypassing` | LRU_PERCPU_HASH | [`admission::Bypass`] | `u64` connections | `to_pod` | agent |
//! | `stats` | PERCPU_ARRAY | `u32` [`counter::Reason`] | [`counter::Count`] | programs | agent |
//! | `events` | RINGBUF | – | [`event::Event`] | programs | agent |
//! | `flows` | RINGBUF | – | [`watch::Flow`] | `watch` | agent |
//! | `open_flows` | LRU_HASH | `u64` socket cookie | [`watch::Open`] | `watch` | `watch` |
//! | `sampled` | PERCPU_ARRAY | `u32` [`counter::Reason`] | `u64` nanoseconds | programs | programs |
//!
//! **Invariant:** every record has the same size and layout on both sides, with no implicit
//! padding; each is asserted at compile time.
//! **Invariant:** a change to any of them, or to the meaning of a field, raises [`ABI`]; maps are
//! pinned under a directory named by it and never migrated in place.
#![no_std]

pub mod addr;
pub mod admission;
pub mod arrival;
pub mod counter;
pub mod event;
pub mod redirect;
pub mod watch;

/// Version of everything in this crate that is visible in a map.
pub const ABI: u32 = 3;

/// Names of the maps, as the programs declare them and as they are pinned.
pub mod map {
    /// One [`Config`](crate::redirect::Config).
    pub const CFG: &str = "cfg";
    /// Captured destinations.
    pub const WP_DST: &str = "wp_dst";
    /// Captured ranges of addresses.
    pub const WP_NET: &str = "wp_net";
    /// Enrolled pods by the host side of their veth.
    pub const IF_POD: &str = "if_pod";
    /// Host sides of veths by pod address.
    pub const POD_IF: &str = "pod_if";
    /// Listening sockets of the agent.
    pub const LSN: &str = "lsn";
    /// Which connections to pods are counted or refused.
    pub const ADMIT: &str = "admit";
    /// Whose connections are neither.
    pub const ADMIT_SRC: &str = "admit_src";
    /// Control groups of this node that may always connect.
    pub const EXEMPT_CG: &str = "exempt_cg";
    /// Addresses of this node, from which its own processes may always connect.
    pub const EXEMPT_SRC: &str = "exempt_src";
    /// Connections that pass waypoints by, by their ends.
    pub const BYPASSING: &str = "bypassing";
    /// Packets and bytes by reason, per CPU.
    pub const STATS: &str = "stats";
    /// Sampled events.
    pub const EVENTS: &str = "events";
    /// Connections of enrolled pods.
    pub const FLOWS: &str = "flows";
}

/// Names of the programs, as they are declared and as they are pinned.
pub mod program {
    /// tcx ingress on the host side of an enrolled pod's veth.
    pub const FROM_POD: &str = "from_pod";
    /// tcx egress on the host side of an enrolled pod's veth.
    pub const TO_POD: &str = "to_pod";
    /// tcx ingress on the host side of the agent's veth.
    pub const FROM_AGENT: &str = "from_agent";
    /// sk_lookup in the agent's network namespace.
    pub const STEER: &str = "steer";
    /// sock_ops on the cgroups of pods.
    pub const WATCH: &str = "watch";
}

/// Gives records the marker that lets userspace put them into maps.
macro_rules! pod {
    ($($record:ty),+ $(,)?) => {$(
        #[cfg(feature = "user")]
        // SAFETY: the record is repr(C), made of integers and byte arrays only, and the size
        // assertion beside its definition leaves no room for implicit padding.
        unsafe impl aya::Pod for $record {}
    )+};
}
pub(crate) use pod;
