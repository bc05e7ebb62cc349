//! The bpffs that tests, demos and measurements mount where a machine has none.
//!
//! **Invariant:** one that was there before, or in which anything is pinned, stays.

use std::fs;

use crate::shell::{command, say, status};

/// Takes a bpffs away when it is dropped, if none was there when it was made.
pub(crate) struct Borrowed {
    was_there: bool,
}

impl Borrowed {
    /// Looks whether one is there.
    pub(crate) fn look() -> Self {
        Self { was_there: is_mounted() }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if self.was_there || !is_mounted() || is_pinned_in() {
            return;
        }
        if !status(&mut command("umount", &[POINT])).is_ok_and(|ended| ended.success()) {
            say(&format!("{POINT}: the bpffs that was mounted for this stays"));
        }
    }
}

fn is_mounted() -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut fields = mounts.lines().map(|line| line.split(' ').skip(1));
    fields.any(|mut fields| fields.next() == Some(POINT) && fields.next() == Some("bpf"))
}

/// Whether there is anything but what the kernel itself puts there; what cannot be read counts.
fn is_pinned_in() -> bool {
    let own = |name: &str| KERNELS.contains(&name);
    fs::read_dir(POINT).map_or(true, |mut entries| {
        entries.any(|entry| !entry.is_ok_and(|entry| own(&entry.file_name().to_string_lossy())))
    })
}

const POINT: &str = "/sys/fs/bpf";
/// In each bpffs of the host's namespaces (Linux `kernel/bpf/preload`).
const KERNELS: [&str; 2] = ["maps.debug", "progs.debug"];
