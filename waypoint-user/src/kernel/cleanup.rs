//! Removes every trace of a data path from the host.
//!
//! It needs nothing of the process that made them, which may be of another version and long gone.

use std::fs;

use super::{
    Error, Settings,
    agent_netns::AgentNetns,
    handover,
    lock::{self, Lock},
    pins::Pins,
    probe,
};

/// Removes pins (and with them programs, links and maps) of every version, the probe, the agent's
/// namespace and the run directory; says what there was. A bpffs stays mounted, as others may use
/// it.
pub fn cleanup(settings: &Settings) -> Result<Vec<String>, Error> {
    let held = if settings.run_dir.exists() { Some(Lock::take(&settings.run_dir)?) } else { None };
    let pins = Pins::new(&settings.pin_dir).remove_all()?;
    let mut removed: Vec<String> = pins.iter().map(|pin| pin.display().to_string()).collect();
    removed.extend(probe::remove(settings)?);
    if held.is_some() {
        let door = handover::path(&settings.run_dir);
        if handover::remove(&door).map_err(Error::file(&door))? {
            removed.push(door.display().to_string());
        }
        let path = lock::path(&settings.run_dir);
        fs::remove_file(&path).map_err(Error::file(&path))?;
        removed.push(path.display().to_string());
    }
    removed.extend(AgentNetns::remove(settings)?);
    Ok(removed)
}
