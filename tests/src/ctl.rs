//! `waypointctl` inside a test: arguments in, text and outcome out.
//!
//! It is the same code that the program runs, with buffers in the place of a terminal.

use anyhow::Result;
use clap::Parser;
use waypoint_user::cli::{
    Cli, Console, Outcome,
    console::{Look, Stream},
    run,
};

/// What a command printed, and how it ended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Said {
    /// Answers.
    pub out: String,
    /// Warnings and progress.
    pub err: String,
    /// The exit code.
    pub code: u8,
}

impl Said {
    /// All of it, as a terminal would show it at the end.
    pub fn whole(&self) -> String {
        format!("{}{}exit code {}\n", self.out, self.err, self.code)
    }
}

/// Runs a command.
pub fn waypointctl(words: &[&str]) -> Result<Said> {
    let cli = Cli::try_parse_from([&["waypointctl"], words].concat())?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = Console {
        out: Stream::new(&mut out, Look::default()),
        err: Stream::new(&mut err, Look::default()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (code, complaint) = match runtime.block_on(run(&cli, &mut console)) {
        Ok(Outcome::Good) => (0, String::new()),
        Ok(Outcome::Amiss) => (1, String::new()),
        Err(error) => (if error.is_answer() { 1 } else { 2 }, format!("waypointctl: {error}\n")),
    };
    let (out, err) = (String::from_utf8(out)?, String::from_utf8(err)? + &complaint);
    Ok(Said { out, err, code })
}
