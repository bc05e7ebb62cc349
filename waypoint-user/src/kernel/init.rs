//! What has to be on a host before an agent that is not privileged.
//!
//! A container without privileges mounts nothing that others see, and cannot write `/proc/sys`. So
//! a privileged one goes before it and makes what needs either; the agent then finds it right, and
//! touches nothing.
//!
//! It takes no lock and attaches nothing.
//!
//! **Invariant:** what is right is not touched, also while an agent runs.

use super::{Error, Settings, agent_netns::AgentNetns, bpffs, probe::Probe};

/// Mounts a bpffs if there is none, and makes the agent's network namespace and the self-probe's,
/// each with its link and its settings; says what was not there.
pub fn init(settings: &Settings) -> Result<Vec<String>, Error> {
    let mut made = Vec::new();
    if let Some(point) = bpffs::ensure(&settings.pin_dir)? {
        made.push(format!("bpffs {}", point.display()));
    }
    made.extend(AgentNetns::make(settings)?);
    let (_, of_probe) = Probe::make(settings)?;
    made.extend(of_probe);
    Ok(made)
}
