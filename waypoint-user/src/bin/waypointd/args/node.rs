//! What an agent leaves on its host.

use std::path::PathBuf;

use clap::Args;
use waypoint_user::kernel;

/// What an agent leaves on the host, and where; two agents with different settings do not meet.
#[derive(Args)]
pub(crate) struct Node {
    /// Where BPF programs, maps and links are pinned; a bpffs is mounted above it if there is none.
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/waypoint")]
    pin_dir: PathBuf,
    /// Where the agent's network namespace, lock and sockets are.
    #[arg(long, value_name = "DIR", default_value = "/run/waypoint")]
    run_dir: PathBuf,
    /// Name of the agent's network interface on the host; its self-probe has one of the same name
    /// with a `p` behind it.
    #[arg(long, value_name = "NAME", default_value = "wpd0", value_parser = parse_link)]
    link: String,
    /// Name of the nftables table that --service-vips keeps.
    #[arg(long, value_name = "NAME", default_value = "waypoint")]
    service_vips_table: String,
}

impl Node {
    /// What the kernel door needs to know, for one worker.
    pub(crate) fn settings(&self) -> kernel::Settings {
        kernel::Settings {
            pin_dir: self.pin_dir.clone(),
            run_dir: self.run_dir.clone(),
            link: self.link.clone(),
            ..kernel::Settings::default()
        }
    }

    /// The nftables table of Service addresses.
    pub(crate) fn table(&self) -> &str {
        &self.service_vips_table
    }
}

/// A name for a network interface that leaves room for the probe's.
fn parse_link(name: &str) -> Result<String, String> {
    let fits = (1..LINK_NAME_BYTES_MAX).contains(&name.len());
    let plain = !name.contains(['/', ':', '%']) && !name.contains(char::is_whitespace);
    if fits && plain && name != "." && name != ".." {
        Ok(name.to_owned())
    } else {
        Err(format!("an interface's name has 1 to {} plain bytes", LINK_NAME_BYTES_MAX - 1))
    }
}

/// The longest name of an interface, without the NUL behind it (`IFNAMSIZ`).
const LINK_NAME_BYTES_MAX: usize = 15;
