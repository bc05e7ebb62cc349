//! The kernel, as seen from userspace: namespaces, links, sockets, and the programs attached to
//! them.

use std::path::PathBuf;

pub mod agent_netns;
mod blocking;
pub mod links;
pub mod netlink;
pub mod netns;
pub mod pods;
pub mod service_vips;
pub mod sockets;

/// Where the data path keeps what it makes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of pinned programs and maps.
    pub pin_dir: PathBuf,
    /// The directory of namespaces and sockets.
    pub run_dir: PathBuf,
    /// The host's end of the agent's veth pair.
    pub link: String,
    /// How many workers accept connections.
    pub workers: usize,
}
