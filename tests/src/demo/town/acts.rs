//! The acts, in order.

mod arrival;
mod farewell;
mod inside;
mod life;

use anyhow::Result;

use super::scene::Scene;
use crate::demo::ledger::Ledger;

/// One act.
pub(super) type Act = fn(&mut Scene<'_>, &mut Ledger) -> Result<()>;

/// All of them.
pub(super) const ALL: &[Act] = &[
    arrival::waypoint_is_installed,
    arrival::the_shop_opens,
    arrival::the_namespace_is_enrolled,
    life::reviews_are_split,
    life::only_web_may_call,
    life::the_tool_explains,
    inside::processes_are_asked,
    inside::connections_are_observed,
    life::agents_are_exchanged_under_load,
    inside::processes_are_asked_again,
    farewell::the_waypoint_is_deleted,
    farewell::everything_is_uninstalled,
];
