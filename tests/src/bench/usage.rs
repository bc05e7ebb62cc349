//! CPU time and memory of processes, as the kernel accounts for them.

use std::{collections::HashMap, fs, time::Duration};

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};

/// What processes have used together so far.
pub(super) fn cpu_time(processes: &[u32]) -> Result<Duration> {
    processes.iter().map(|process| of_one(*process)).sum()
}

/// What a process of one thread has used so far, without rounding to clock ticks.
pub(super) fn exact_cpu_time(process: u32) -> Result<Duration> {
    of_thread(&format!("/proc/{process}/schedstat"))
}

/// What each thread of some processes has used so far, without rounding to clock ticks.
#[derive(Clone, Debug, Default)]
pub(super) struct Threads(HashMap<String, Duration>);

impl Threads {
    /// As it is now.
    pub(super) fn of(processes: &[u32]) -> Result<Self> {
        let mut threads = HashMap::new();
        for process in processes {
            let tasks = format!("/proc/{process}/task");
            for task in fs::read_dir(&tasks).with_context(|| tasks.clone())? {
                let path = task?.path().join("schedstat").display().to_string();
                // A thread may end while others are looked at.
                if let Ok(used) = of_thread(&path) {
                    threads.insert(path, used);
                }
            }
        }
        Ok(Self(threads))
    }

    /// What was used since an earlier look, except by threads that have ended.
    pub(super) fn since(&self, earlier: &Self) -> Duration {
        let used = self.0.iter().map(|(thread, now)| {
            now.saturating_sub(earlier.0.get(thread).copied().unwrap_or_default())
        });
        used.sum()
    }
}

/// Resident memory.
pub(super) fn resident_kib(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).with_context(|| path)?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn of_thread(schedstat: &str) -> Result<Duration> {
    let text = fs::read_to_string(schedstat).with_context(|| schedstat.to_owned())?;
    let nanoseconds = text.split(' ').next().unwrap_or_default();
    Ok(Duration::from_nanos(nanoseconds.parse().with_context(|| schedstat.to_owned())?))
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
