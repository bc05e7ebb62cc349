//! CPU time and memory of processes, as the kernel accounts for them.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};

/// What processes have used together so far.
pub(super) fn cpu_time(processes: &[u32]) -> Result<Duration> {
    processes.iter().map(|process| of_one(*process)).sum()
}

/// What a process of one thread has used so far, without rounding to clock ticks.
pub(super) fn exact_cpu_time(process: u32) -> Result<Duration> {
    let path = format!("/proc/{process}/schedstat");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let nanoseconds = text.split(' ').next().unwrap_or_default();
    Ok(Duration::from_nanos(nanoseconds.parse().with_context(|| path)?))
}

/// Resident memory.
pub(super) fn resident_kib(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).with_context(|| path)?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// In user and kernel mode, of all threads.
fn of_one(process: u32) -> Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).with_context(|| path.clone())?;
    // The name in parentheses may hold anything.
    let (_, fields) = stat.rsplit_once(") ").with_context(|| path.clone())?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let field = |number: usize| fields.get(number).and_then(|ticks| ticks.parse::<u32>().ok());
    let (user, kernel) = field(USER).zip(field(KERNEL)).with_context(|| path.clone())?;
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("no clock tick")?;
    let per_second = u32::try_from(per_second)?;
    Ok(Duration::from_secs(1) * (user + kernel) / per_second)
}

/// `utime` and `stime`, counted from the field after the name (proc_pid_stat(5)).
const USER: usize = 11;
const KERNEL: usize = 12;
