//! Waypoint's userspace, in five levels; a module uses lower levels and, within its level, only
//! what `cargo xtask tidy` allows.
//!
//! | level | modules | what they are |
//! |---|---|---|
//! | 0 | [`mesh`] | values: no I/O, no async, no clock, no Kubernetes client types |
//! | 1 | [`select`], [`route`], [`policy`], [`balance`], [`explain`] | decisions, and why they are so: pure functions of level 0 |
//! | 2 | [`sync`], [`identity`], [`hbone`], [`http1`], [`http2`], [`kernel`], [`control`], [`telemetry`] | doors: each owns one kind of I/O, or one wire format |
//! | 3 | [`proxy`] | the engine: life of a connection and of a request |
//! | 4 | [`roles`], [`cli`] | wiring: no decisions |
//!
//! ```text
//! manifests ──▶ sync ── watch<Arc<Snapshot>> ──┬──▶ kernel ──▶ BPF maps ──▶ packets redirected
//!                │                             └──▶ proxy  (routes, policies, endpoints)
//!                └───── Report ──▶ log, waypointctl analyze
//! ```
//!
//! **Invariant:** only `sync` makes a Snapshot, and nothing downstream writes to one.
//! **Invariant:** the BPF maps are a mirror; they can be rebuilt from a Snapshot at any time.
#![forbid(unsafe_code)]

pub mod balance;
pub mod cli;
pub mod control;
pub mod explain;
pub mod hbone;
pub mod http1;
pub mod http2;
pub mod identity;
pub mod kernel;
pub mod mesh;
pub mod policy;
pub mod proxy;
pub mod roles;
pub mod route;
pub mod select;
pub mod sync;
pub mod telemetry;
