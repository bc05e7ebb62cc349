//! What is written to a cluster: what waypoints run in, status, events, and the authority's roots.
//!
//! It decides nothing about traffic: what it reports is the Report that enforcement goes by.

pub mod authority;
