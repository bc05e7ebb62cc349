//! Whether a policy can still see whom it is about, when connections come through a waypoint.
//!
//! A waypoint asks in its own name; a policy for pods that names clients never meets them then.

use std::net::SocketAddr;

use crate::mesh::{policy::AuthorizationPolicy, request::Peer};

use super::{Subject, facts::Facts};

/// Whether no rule of a policy can match what this peer asks for, because of who it is. A policy
/// without rules matches nobody in the first place, and is not meant here.
pub fn never_matches(policy: &AuthorizationPolicy, peer: &Peer) -> bool {
    let destination = SocketAddr::from(([0, 0, 0, 0], 0));
    let subject = Subject { peer, destination, head: None };
    let facts = Facts::of(&subject);
    !policy.rules.is_empty() && !policy.rules.iter().any(|rule| facts.may_match(rule))
}
