//! The acts, in order; each tells why, does something, and claims what must be seen.

mod enrolment;
mod outage;
mod policy;
pub(super) mod routing;

use anyhow::Result;

use super::{ledger::Ledger, scene::Scene};

/// One act.
pub(super) type Act = fn(&mut Scene, &mut Ledger) -> Result<()>;

/// All of them.
pub(super) const ALL: &[Act] = &[
    enrolment::nothing_is_labelled,
    enrolment::the_namespace_is_labelled,
    routing::reviews_are_split,
    policy::only_web_may_call,
    enrolment::ipv6_does_the_same,
    outage::the_process_is_killed,
    outage::it_comes_back,
];
