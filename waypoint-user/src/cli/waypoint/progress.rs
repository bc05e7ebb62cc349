//! What is shown while somebody waits: a spinner on a terminal, else a line for each change.
//!
//! **Invariant:** nothing is said twice in a row.

use std::{io, time::Duration};

use indicatif::ProgressBar;

use crate::cli::console::{Look, Stream};

/// What is shown.
pub(super) struct Progress {
    spinner: Option<ProgressBar>,
    said: String,
}

impl Progress {
    /// Nothing yet.
    pub(super) fn new(look: Look) -> Self {
        let spinner = look.terminal.then(|| {
            let spinner = ProgressBar::new_spinner();
            spinner.enable_steady_tick(TURN);
            spinner
        });
        Self { spinner, said: String::new() }
    }

    /// Shows how it is.
    pub(super) fn show(&mut self, now: &str, to: &mut Stream<'_>) -> io::Result<()> {
        if self.said == now {
            return Ok(());
        }
        now.clone_into(&mut self.said);
        match &self.spinner {
            Some(spinner) => spinner.set_message(now.to_owned()),
            None => to.line(now)?,
        }
        Ok(())
    }

    /// Takes it away again.
    pub(super) fn end(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

/// How long the spinner stays as it is.
const TURN: Duration = Duration::from_millis(100);
