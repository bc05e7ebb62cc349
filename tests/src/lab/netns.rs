//! A network namespace with a name, as long as its value lives.
//!
//! `ip netns exec` is never used: it mounts a fresh /sys, in which bpffs and cgroups are missing.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};

use super::command;

/// A namespace under /run/netns; removed when dropped.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// Makes several at once.
    pub fn create(names: &[String]) -> Result<Vec<Self>> {
        let _lock = lock()?;
        let lines: Vec<_> = names.iter().map(|name| format!("netns add {name}")).collect();
        let made: Vec<_> = names.iter().map(|name| Self { name: name.clone() }).collect();
        command::run_with_input("ip", &["-batch", "-"], &(lines.join("\n") + "\n"))?;
        Ok(made)
    }

    /// Its name under /run/netns.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it.
    pub fn path(&self) -> PathBuf {
        Path::new(DIRECTORY).join(&self.name)
    }

    /// Runs a closure on a thread inside; sockets it makes stay inside.
    pub fn within<T: Send>(&self, run: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        within(&self.path(), run)
    }

    /// Runs lines of `ip` inside.
    pub fn ip(&self, lines: &str) -> Result<()> {
        command::run_with_input("ip", &["-n", &self.name, "-batch", "-"], lines)?;
        Ok(())
    }

    /// Runs one program inside, to its end.
    pub fn run<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        arguments: &[A],
    ) -> Result<String> {
        let inside = OsString::from(format!("--net={}", self.path().display()));
        let mut words = vec![inside, program.as_ref().to_owned()];
        words.extend(arguments.iter().map(|argument| argument.as_ref().to_owned()));
        command::run("nsenter", &words)
    }

    /// Runs rules of `nft` inside, as one transaction.
    pub fn nft(&self, rules: &str) -> Result<()> {
        let inside = format!("--net={}", self.path().display());
        command::run_with_input("nsenter", &[&inside, "nft", "--file", "-"], rules)?;
        Ok(())
    }

    /// Writes a setting below /proc/sys/net.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys/net").join(key);
        self.within(|| fs::write(&path, value).with_context(|| format!("write {}", path.display())))
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        let _lock = lock();
        // What cannot be removed now is removed by the next lab that starts.
        let _gone = command::run("ip", &["netns", "del", &self.name]);
    }
}

/// Runs a closure on a thread inside the namespace that a file stands for.
pub fn within<T: Send>(path: &Path, run: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let namespace =
        File::open(path).with_context(|| format!("open network namespace {}", path.display()))?;
    let inside = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET)?;
            run()
        });
        worker.join()
    });
    inside.map_err(|_| anyhow!("a thread inside {} panicked", path.display()))?
}

/// Names of the namespaces that begin with a prefix.
pub(crate) fn named(prefix: &str) -> Vec<String> {
    let entries = fs::read_dir(DIRECTORY).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// `ip netns` of this age races with itself over the mount below /run/netns.
fn lock() -> Result<nix::fcntl::Flock<File>> {
    super::name::lock("netns")
}

const DIRECTORY: &str = "/run/netns";
