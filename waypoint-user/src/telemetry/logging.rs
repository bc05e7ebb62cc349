//! The process's own log: where it goes, how it looks, and its level, which can change at run time.
//!
//! The access log is not part of it; see [`access`](super::access).

use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::filter_fn, fmt, layer::SubscriberExt, reload,
    util::SubscriberInitExt,
};

/// How lines of the log look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// The level of the log; clones share it.
#[derive(Clone, Debug)]
pub struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// What is logged now: `info`, or directives such as `info,waypoint_user::proxy=debug`.
    pub fn current(&self) -> String {
        self.0.with_current(ToString::to_string).unwrap_or_else(|_| "off".to_owned())
    }

    /// Changes what is logged, at once.
    pub fn set(&self, directives: &str) -> Result<(), Error> {
        self.0.reload(parse(directives)?).map_err(|_| Error::NoLog)
    }
}

/// Starts logging to stderr; once per process.
pub fn init(directives: &str, format: Format) -> Result<LogLevel, Error> {
    let (filter, level) = reloadable(directives)?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        Format::Text => lines.with_ansi(false).boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    let told_otherwise = filter_fn(|line| line.target() != TOLD_OTHERWISE);
    let subscriber = tracing_subscriber::registry().with(filter).with(told_otherwise).with(lines);
    subscriber.try_init().map_err(|_| Error::Twice)?;
    Ok(level)
}

/// A filter and the handle that changes it.
fn reloadable(directives: &str) -> Result<(reload::Layer<EnvFilter, Registry>, LogLevel), Error> {
    let (filter, handle) = reload::Layer::new(parse(directives)?);
    Ok((filter, LogLevel(handle)))
}

/// Parses directives.
fn parse(directives: &str) -> Result<EnvFilter, Error> {
    let invalid = |cause: tracing_subscriber::filter::ParseError| Error::Directives {
        directives: directives.to_owned(),
        cause: cause.to_string(),
    };
    if directives.trim().is_empty() {
        return Err(Error::Empty);
    }
    EnvFilter::builder().parse(directives).map_err(invalid)
}

/// Why the log's level could not be set.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no level in it.
    #[error("no log level given; try info, debug or info,waypoint_user::proxy=debug")]
    Empty,
    /// It is not a level, nor a list of directives.
    #[error("{directives:?} is not a log level ({cause}); try info or debug")]
    Directives {
        /// What was given.
        directives: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The log was started before.
    #[error("the log was already started")]
    Twice,
    /// The log that the handle belonged to is gone.
    #[error("the log was never started")]
    NoLog,
}

/// Whose errors are told by whoever asked, once and not at every try: requests to API servers.
const TOLD_OTHERWISE: &str = "kube_client::client::builder";

#[cfg(test)]
pub(super) mod tests;
