//! The node's data path: programs and maps in the kernel, and the namespace that captured
//! connections are led into.
//!
//! [`DataPath`] mirrors Snapshots into BPF maps, keeps `from_pod` and `to_pod` attached to every
//! enrolled pod, and proves again and again that a captured connection arrives. It decides nothing
//! about waypoints (a Snapshot says which destination has one) and serves no connection: the
//! listeners are handed out, and so are sockets in pods' namespaces.
//!
//! ```text
//!  Snapshot ─▶ desired ─▶ mirror ──────▶ wp_dst, if_pod, pod_if, admit, admit_src
//!      /proc ─▶ whereabouts ─▶ where pods are
//!              desired ─▶ enrolment ──▶ from_pod, to_pod on the host side of each pod's veth
//!  agent_netns ─▶ listeners ──────────▶ lsn
//!  stats, events ─▶ counters, events ─▶ telemetry
//! ```
//!
//! **Invariant:** the maps are a mirror. They are changed by difference, new entries first, and
//! never emptied, so that neither a restart nor a change interrupts what is not concerned.
//! **Invariant:** whatever must outlive this process is pinned, and nothing else; [`cleanup`] finds
//! all of it again.

use std::path::PathBuf;

pub use self::{
    cleanup::cleanup,
    data_path::{Captured, DataPath, Ended, Origins},
    error::Error,
    handover::Successor,
    init::init,
    inside::Sockets,
    listeners::Listeners,
    progress::Progress,
};

mod attachment;
mod blocking;
mod bpffs;
mod bypassing;
mod cleanup;
mod counters;
mod data_path;
mod desired;
mod enrolment;
mod error;
mod events;
mod exempt;
pub mod flows;
mod handover;
mod init;
mod inside;
mod instances;
mod listeners;
mod lock;
pub mod lookup;
mod maps;
mod mirror;
mod object;
mod pins;
mod probe;
mod programs;
mod progress;
mod slots;
mod whereabouts;

pub mod agent_netns;
pub mod links;
pub mod netlink;
pub mod netns;
pub mod pods;
pub mod service_vips;
pub mod sockets;

/// Where the data path keeps what it makes; two data paths on one host share none of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of pinned programs, maps and links, in a bpffs.
    pub pin_dir: PathBuf,
    /// The directory of namespaces and of the lock.
    pub run_dir: PathBuf,
    /// The host's end of the agent's veth pair.
    pub link: String,
    /// How many workers accept connections.
    pub workers: usize,
    /// The node whose pods are served; without it, every pod that can be found on this host.
    pub node: Option<String>,
    /// Whether tunnels to enrolled pods are captured, and who connects to them is looked at.
    pub inbound: bool,
    /// The control groups (version 2) of those who may always connect to pods, such as the
    /// kubelet's; while none of them exists, every process of the node's own network may.
    pub exempt_cgroups: Vec<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pin_dir: PathBuf::from("/sys/fs/bpf/waypoint"),
            run_dir: PathBuf::from("/run/waypoint"),
            link: "wpd0".to_owned(),
            workers: 1,
            node: None,
            inbound: false,
            exempt_cgroups: Vec::new(),
        }
    }
}
