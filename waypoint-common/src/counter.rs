//! Why the kernel side did what it did, and how often.
//!
//! It only names reasons; the arithmetic is the map's.

/// Packets and bytes that met one reason, on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Count {
    /// Packets, or connections for `steer`.
    pub packets: u64,
    /// Bytes of those packets on the wire, zero for `steer`.
    pub bytes: u64,
}

const _: () = assert!(size_of::<Count>() == 16);
crate::pod!(Count);

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $index:literal, $name:literal;)+) => {
        /// A reason; its number is the index in the `stats` map.
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $variant = $index,)+
        }

        impl Reason {
            /// Every reason, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The reason's name in metrics, logs and events.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The reason of a number, if it is one.
            pub const fn from_index(index: u32) -> Option<Self> {
                match index {
                    $($index => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

reasons! {
    /// `from_pod`: a SYN to a captured destination was handed to the agent.
    Captured = 0, "captured";
    /// `from_pod`: a later packet of a captured connection was handed to the agent.
    CapturedEstablished = 1, "captured_established";
    /// `from_pod`: a SYN whose destination has no waypoint stays in the kernel.
    Miss = 2, "miss";
    /// `from_pod`: a later packet of a connection that is not captured.
    NotCaptured = 3, "not_captured";
    /// Not TCP: `from_pod` leaves it alone, `from_agent` drops it.
    NotTcp = 4, "not_tcp";
    /// `from_pod`: a fragment that is not the first one; it has no ports to decide by.
    Fragment = 5, "fragment";
    /// `from_pod`: more IPv6 extension headers than are looked through.
    ExtensionHeaders = 6, "extension_headers";
    /// `from_pod`: shorter than its headers say.
    Malformed = 7, "malformed";
    /// `from_pod`: the source is not the pod's and the destination or connection is captured;
    /// dropped.
    Spoofed = 8, "spoofed";
    /// `from_pod`: the agent has no listener and the destination stays reachable without it.
    FailOpen = 9, "fail_open";
    /// `from_pod`: the agent has no listener and the destination must not be reached without it;
    /// refused.
    FailClosed = 10, "fail_closed";
    /// `from_pod`: the destination names a waypoint that cannot be used, and fails closed; refused.
    Refused = 11, "refused";
    /// `from_pod`: the pod is no longer enrolled; new connections pass.
    NotEnrolled = 12, "not_enrolled";
    /// `from_pod`: the agent asked to be bypassed while it repairs its path.
    Bypass = 13, "bypass";
    /// `from_agent`: handed to a pod of this node.
    ToPod = 14, "to_pod";
    /// `from_agent`: no pod of this node has the destination; dropped.
    ToUnknown = 15, "to_unknown";
    /// `steer`: given to a listener of the agent.
    Steered = 16, "steered";
    /// `steer`: the agent has no listener; refused.
    NoListener = 17, "no_listener";
    /// `from_pod`: a packet of the agent's own probe, whatever became of it.
    Probe = 18, "probe";
    /// An event that found no room in the ring buffer.
    EventLost = 19, "event_lost";
    /// `from_pod`: no port can be read, and the destination address has one that fails closed;
    /// dropped.
    Undecidable = 20, "undecidable";
    /// `to_pod`: a SYN to a pod's tunnel port was handed to the agent.
    Inbound = 21, "inbound";
    /// `to_pod`: a later packet of a tunnel was handed to the agent.
    InboundEstablished = 22, "inbound_established";
    /// `to_pod`: neither a tunnel of the agent's nor to be looked at.
    NotInbound = 23, "not_inbound";
    /// `from_agent`: a packet of a pod's tunnel leaves as the pod's own.
    AsPod = 24, "as_pod";
    /// `to_pod`: a connection that passes the pod's waypoints by; it passes.
    Bypassing = 25, "bypassing";
    /// `to_pod`: a connection that passes the pod's waypoints by; refused.
    NotAdmitted = 26, "not_admitted";
    /// `to_pod`: not a tunnel, and the pod takes nothing else; refused.
    Plaintext = 27, "plaintext";
    /// `to_pod`: a probe of this node's own, such as the kubelet's.
    Exempt = 28, "exempt";
    /// `watch`: an enrolled pod's connection was established.
    FlowOpened = 29, "flow_opened";
    /// `watch`: an enrolled pod's connection ended.
    FlowClosed = 30, "flow_closed";
    /// `watch`: a record of a connection found no room.
    FlowLost = 31, "flow_lost";
}

/// Entries of the `stats` map; more than there are reasons, so that adding one keeps the ABI.
pub const STATS_ENTRIES: u32 = 128;

const _: () = assert!(Reason::ALL.len() <= STATS_ENTRIES as usize);
