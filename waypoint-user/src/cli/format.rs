//! How answers are printed: for people or for programs.

use clap::ValueEnum;
use serde_json::Value;

use super::{Error, yaml};

/// How to print.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// For people with wide screens
    Wide,
    /// For programs
    Json,
    /// For programs, and for people
    Yaml,
}

impl Format {
    /// A value for programs; nothing for people, who want a table.
    pub(super) fn of(self, value: &Value) -> Result<Option<String>, Error> {
        Ok(match self {
            Self::Table | Self::Wide => None,
            Self::Json => Some(serde_json::to_string_pretty(value)? + "\n"),
            Self::Yaml => Some(yaml::show(value)),
        })
    }
}
