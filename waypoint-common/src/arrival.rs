//! What becomes of packets for a pod: tunnels to its [`TUNNEL_PORT`] go to the agent, and other
//! connections are [admitted](crate::admission::admit).
//!
//! [`receive`] is pure, as [`decide`](crate::redirect::decide) is, and reads the same tables.
//!
//! **Invariant:** only packets to the tunnel port ever go to the agent, and a connection does by
//! its SYN alone; without the agent the pod itself answers.

use crate::{
    admission::{Gate, admit},
    counter::Reason,
    redirect::{
        PodOfInterface, Segment, TUNNEL_PORT, Tables, Verdict, config_flag, pod_flag, slot,
    },
};

/// Decides what happens to a packet that is about to reach an enrolled pod.
#[inline(always)]
pub fn receive<T: Tables + Gate>(
    segment: &Segment,
    pod: &PodOfInterface,
    config_flags: u32,
    tables: &T,
) -> Verdict {
    if segment.destination_port != TUNNEL_PORT.to_be() {
        return admit(segment, tables);
    }
    if !segment.opens {
        return if tables.established(segment) {
            Verdict::Capture(Reason::InboundEstablished)
        } else {
            Verdict::Pass(Reason::NotInbound)
        };
    }
    let wanted = pod.flags & pod_flag::INBOUND != 0 && config_flags & config_flag::BYPASS == 0;
    let slot = if segment.destination.is_v4() { slot::INBOUND4 } else { slot::INBOUND6 };
    if wanted && pod.has(&segment.destination) && tables.listens(slot) {
        Verdict::Capture(Reason::Inbound)
    } else {
        Verdict::Pass(Reason::NotInbound)
    }
}

#[cfg(test)]
mod tests;
