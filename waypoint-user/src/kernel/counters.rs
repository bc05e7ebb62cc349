//! The programs' counters, as metrics.

use std::sync::Arc;

use aya::maps::{MapData, PerCpuArray};
use waypoint_common::counter::{Count, Reason};

use crate::telemetry::metrics::Registry;

/// Exports packets and bytes by reason; they are read when somebody scrapes.
pub(super) fn export(registry: &Registry, stats: PerCpuArray<MapData, Count>) {
    let stats = Arc::new(stats);
    let bytes = Arc::clone(&stats);
    registry.counter_source(
        "waypoint_kernel_packets_total",
        "Packets that the eBPF programs met, by what they did with them.",
        "reason",
        move || read(&stats, |count| count.packets),
    );
    registry.counter_source(
        "waypoint_kernel_bytes_total",
        "Bytes of the packets that the eBPF programs met, by what they did with them.",
        "reason",
        move || read(&bytes, |count| count.bytes),
    );
}

fn read(stats: &PerCpuArray<MapData, Count>, of: fn(&Count) -> u64) -> Vec<(String, u64)> {
    let sum = |reason: &Reason| {
        let counts = stats.get(&(*reason as u32), 0).ok()?;
        Some((reason.name().to_owned(), counts.iter().map(of).sum()))
    };
    Reason::ALL.iter().filter_map(sum).collect()
}
