//! Showing that a long build gets on: every few seconds a line.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Runs a build that names on its standard error each package that it compiles.
pub(super) fn watch(build: &mut Command) -> Result<()> {
    let mut child = build.stderr(Stdio::piped()).spawn().context("go does not start")?;
    let output = BufReader::new(child.stderr.take().context("go has no output")?);
    let (sender, lines) = channel();
    thread::spawn(move || {
        output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let mut account = Account::default();
    let (begin, mut due) = (Instant::now(), Instant::now() + INTERVAL);
    loop {
        // Linking takes long, and prints nothing.
        match lines.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(line) => account.read(line),
            Err(RecvTimeoutError::Timeout) => {
                eprintln!("  {:>4} s: {} packages", begin.elapsed().as_secs(), account.packages);
                due += INTERVAL;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if !child.wait()?.success() {
        bail!("go build failed:\n{}", account.complaints.join("\n"));
    }
    eprintln!("  {:>4} s: complete", begin.elapsed().as_secs());
    Ok(())
}

/// What a build has said.
#[derive(Debug, Default)]
struct Account {
    packages: usize,
    complaints: Vec<String>,
}

impl Account {
    fn read(&mut self, line: String) {
        // `k8s.io/api/core/v1` and `fmt`, but no sentence, and no place in a file.
        if line.contains([' ', ':', '#']) { self.complaints.push(line) } else { self.packages += 1 }
    }
}

const INTERVAL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
