//! `waypointctl analyze`: what is accepted of manifests, and which waypoint stands before what.
//!
//! It reads them as `waypointd` would, by the same code.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::{
    mesh::{
        object::ObjectRef,
        report::{Finding, Report, Severity},
        snapshot::Snapshot,
    },
    sync::{self, Served, directory},
};

use super::{Error, Outcome, Table};

mod destinations;
mod pods;
mod waypoints;

/// What to analyze, and how to print it.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Directory of Kubernetes manifests (*.yaml, *.yml, *.json)
    #[arg(long, value_name = "DIR")]
    pub manifests: PathBuf,
    /// Show also what is as it should be
    #[arg(long)]
    pub all: bool,
    /// Who serves the waypoints, and so when one is ready
    #[arg(long, value_enum, default_value_t = Waypoints::Here)]
    pub waypoints: Waypoints,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// Who serves the waypoints.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Waypoints {
    /// One process, as `waypointd standalone` does: every valid Gateway is ready
    #[default]
    Here,
    /// Processes of their own: a Gateway is ready when its status has an address
    ByStatus,
}

/// Reads the manifests and says what there is to say; good if no finding is an error.
pub fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let waypoints = match arguments.waypoints {
        Waypoints::Here => Served::Here,
        Waypoints::ByStatus => Served::ByStatus,
    };
    let settings = sync::Settings { waypoints, ..sync::Settings::new(&arguments.manifests) };
    let place = directory::Place::new(&arguments.manifests);
    let (snapshot, report) = directory::read(&place, &settings)?;
    let least = if arguments.all { Severity::Accepted } else { Severity::Notice };
    let text = match arguments.output {
        Output::Table => table(&snapshot, &report, least),
        Output::Json => json(&snapshot, &report, least)?,
    };
    Ok(Outcome { text, good: report.worst() != Some(Severity::Error) })
}

/// Findings, destinations, waypoints and pods as tables, and a sum.
fn table(snapshot: &Snapshot, report: &Report, least: Severity) -> String {
    let mut findings = Table::new(["SEVERITY", "OBJECT", "REASON", "MESSAGE"]);
    for (object, finding) in findings_from(report, least) {
        findings.row([
            finding.severity.to_string(),
            object.to_string(),
            finding.reason.clone(),
            finding.message.clone(),
        ]);
    }
    let parts = [
        text_of(&findings),
        text_of(&destinations::table(snapshot)),
        text_of(&waypoints::table(snapshot)),
        text_of(&pods::table(snapshot)),
        Some(sum(report)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// A table's text, if it has rows.
fn text_of<const COLUMNS: usize>(table: &Table<COLUMNS>) -> Option<String> {
    (!table.is_empty()).then(|| table.to_string())
}

/// The same as one JSON object.
fn json(snapshot: &Snapshot, report: &Report, least: Severity) -> Result<String, Error> {
    let findings = findings_from(report, least).map(|(object, finding)| {
        json!({
            "severity": finding.severity.to_string(),
            "object": named(object),
            "reason": finding.reason,
            "message": finding.message,
        })
    });
    let whole = json!({
        "findings": findings.collect::<Vec<_>>(),
        "bindings": destinations::json(snapshot),
        "waypoints": waypoints::json(snapshot),
        "pods": pods::json(snapshot),
    });
    Ok(serde_json::to_string_pretty(&whole)? + "\n")
}

fn named(object: &ObjectRef) -> Value {
    json!({
        "kind": object.kind,
        "namespace": object.name.namespace,
        "name": object.name.name,
    })
}

/// The findings that are grave enough to be shown.
fn findings_from(report: &Report, least: Severity) -> impl Iterator<Item = (&ObjectRef, &Finding)> {
    report.iter().filter(move |(_, finding)| finding.severity >= least)
}

/// How many findings of each severity there are.
fn sum(report: &Report) -> String {
    let count = |severity, what: &str| {
        let count = report.iter().filter(|(_, one)| one.severity == severity).count();
        format!("{count} {what}{}", if count == 1 { "" } else { "s" })
    };
    let errors = count(Severity::Error, "error");
    let warnings = count(Severity::Warning, "warning");
    let notices = count(Severity::Notice, "notice");
    format!("{errors}, {warnings}, {notices}\n")
}
