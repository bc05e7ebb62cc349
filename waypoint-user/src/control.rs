//! What is written to a cluster: what waypoints run in, status, events, and the authority's roots.
//!
//! It decides nothing about traffic: what it reports is the Report that enforcement goes by.
//!
//! **Invariant:** only the leader writes ([`leader`]), but for the authority's own objects.
//! **Invariant:** nothing is written that is so already ([`writer`], [`desk`]).

pub mod authority;
pub mod classes;
pub mod desk;
pub mod events;
pub mod gateway;
pub mod kind;
pub mod leader;
pub mod merge;
pub mod mirror;
pub mod redirection;
pub mod run;
pub mod status;
pub mod writer;

use std::time::Duration;

/// How long the API server may take to answer a request.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
