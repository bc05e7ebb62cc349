//! The arguments of `waypointd probe`.

use clap::{Args, ValueEnum};
use waypoint_user::telemetry::admin::AdminAddress;

#[derive(Args)]
pub(crate) struct Probe {
    /// What is asked.
    #[arg(value_enum)]
    question: Question,
    /// Where the process was told to listen by --status-listen.
    #[arg(long, value_name = "ADDRESS", default_value = "unix:/run/waypointd/status.sock")]
    pub(crate) status: AdminAddress,
}

/// What is asked.
#[derive(Clone, Copy, ValueEnum)]
enum Question {
    /// Whether it is ready.
    Ready,
    /// Whether it answers.
    Live,
}

impl Probe {
    /// The page that answers.
    pub(crate) fn page(&self) -> &'static str {
        match self.question {
            Question::Ready => "/healthz/ready",
            Question::Live => "/healthz/live",
        }
    }
}
