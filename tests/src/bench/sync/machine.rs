//! The machine that something was measured on, as a table's heading has it.

use std::{fs, thread};

use anyhow::Result;

/// Its processors, memory and kernel.
pub(super) fn describe() -> Result<String> {
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kilobytes = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = kilobytes.and_then(|line| line.split_whitespace().next());
    let gibibytes = kilobytes.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) >> 20;
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let model = processors.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, name)| name);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let count = thread::available_parallelism()?;
    Ok(format!("{count} x {model}, {gibibytes} GiB, Linux {}", kernel.trim()))
}

/// How many programs wanted a processor in the last minute.
pub(super) fn load() -> Result<f64> {
    let load = fs::read_to_string("/proc/loadavg")?;
    Ok(load.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or_default())
}
