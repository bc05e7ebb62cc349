//! When this process has too much to do, and refuses requests before it breaks down under them.
//!
//! It refuses by number, which each worker counts for itself, and by memory, which one task looks
//! at for all. What is under way goes on, and the status endpoint is none of its business.
//!
//! **Invariant:** a request looks at two numbers and takes no lock.

use std::{
    cell::Cell,
    fs,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::sleep;

use crate::telemetry::metrics::{Limit, Registry};

use super::{limits::AUTH_BODIES_BYTES_MAX, respond::Fault};

/// Whether the process is short of memory, for all of its workers.
#[derive(Clone, Debug, Default)]
pub(super) struct Pressure(Arc<AtomicBool>);

/// What a worker has under way, and may have.
pub(super) struct Overload {
    under_way: Rc<Cell<usize>>,
    most: usize,
    pressure: Pressure,
    requests: Limit,
    memory: Limit,
    /// Bytes of bodies that are held to be shown to somebody.
    held: Rc<Cell<usize>>,
    bodies: Limit,
}

/// A request that counts as under way until this is dropped.
pub(super) struct Admitted(Rc<Cell<usize>>);

/// A body that counts as held until this is dropped.
pub(super) struct Held {
    all: Rc<Cell<usize>>,
    pressure: Pressure,
    /// What is counted where there is no room for more, and where there is no memory.
    limits: [Limit; 2],
    bytes: usize,
}

impl Held {
    /// Counts so much more, if there is room for it.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Fault> {
        let [room, memory] = &self.limits;
        let all = self.all.get().saturating_add(bytes);
        let limit = if all > AUTH_BODIES_BYTES_MAX {
            Some(room)
        } else {
            self.pressure.0.load(Relaxed).then_some(memory)
        };
        if let Some(limit) = limit {
            limit.hit();
            return Err(Fault::Overloaded);
        }
        self.all.set(all);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.set(self.all.get().saturating_sub(self.bytes));
    }
}

impl Overload {
    /// Nothing under way, and so much permitted.
    pub(super) fn new(most: usize, pressure: Pressure, registry: &Registry) -> Self {
        let (requests, memory) = (registry.limit("requests"), registry.limit("memory"));
        let (held, bodies) = (Rc::default(), registry.limit("auth_bodies"));
        Self { under_way: Rc::default(), most, pressure, requests, memory, held, bodies }
    }

    /// Room for a body, of which nothing came yet.
    pub(super) fn hold(&self) -> Held {
        let limits = [self.bodies.clone(), self.memory.clone()];
        Held { all: Rc::clone(&self.held), pressure: self.pressure.clone(), limits, bytes: 0 }
    }

    /// Admits a request, if there is room for one more.
    pub(super) fn admit(&self) -> Result<Admitted, Fault> {
        if self.under_way.get() >= self.most {
            self.requests.hit();
            return Err(Fault::Overloaded);
        }
        if self.pressure.0.load(Relaxed) {
            self.memory.hit();
            return Err(Fault::Overloaded);
        }
        self.under_way.set(self.under_way.get() + 1);
        Ok(Admitted(Rc::clone(&self.under_way)))
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// Looks from time to time how much memory the process has; for ever, if there is a limit.
pub(super) async fn watch_memory(pressure: Pressure, most: Option<u64>) {
    let Some(most) = most.or_else(permitted) else { return };
    loop {
        if let Some(bytes) = used() {
            let was = pressure.0.load(Relaxed);
            let is = is_pressed(was, bytes, most);
            if was != is {
                tracing::warn!(bytes, most, pressed = is, "memory");
            }
            pressure.0.store(is, Relaxed);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Whether so much memory is too much; once it was, it must become clearly less.
fn is_pressed(was: bool, bytes: u64, most: u64) -> bool {
    bytes > if was { most / 20 * 19 } else { most }
}

/// The memory that is in use.
fn used() -> Option<u64> {
    resident(&fs::read_to_string("/proc/self/status").ok()?)
}

/// Resident memory, as the kernel tells it.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Nine tenths of what the control group of this process may have, if that is limited.
fn permitted() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let file = format!("/sys/fs/cgroup{}/memory.max", group.trim_end_matches('/'));
    let most: u64 = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    Some(most / 10 * 9)
}

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
