//! What the log says, and how its lines look.

use clap::{Args, ValueEnum};
use waypoint_user::telemetry::logging::{self, Format, LogLevel};

/// The log of the process.
#[derive(Args)]
pub(crate) struct Log {
    /// Log filter, as in `info` or `waypoint_user::proxy=debug`; change it at run time by /logging.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "WAYPOINT_LOG")]
    log: String,
    /// What lines of the log look like.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

impl Log {
    /// Starts the log.
    pub(crate) fn start(&self) -> Result<LogLevel, logging::Error> {
        logging::init(&self.log, Format::from(self.log_format))
    }
}

/// What lines of the log look like.
#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl From<LogFormat> for Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}
