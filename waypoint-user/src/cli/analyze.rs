//! `waypointctl analyze`: what is accepted of a mesh, what people often get wrong in it, and which
//! waypoint stands before what.
//!
//! It reads the mesh as `waypointd` would, by the same code.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::mesh::{
    object::ObjectRef,
    report::{Finding, Severity},
    snapshot::Snapshot,
};

use super::{Console, Error, Outcome, Table, source::Source};

mod destinations;
mod mistakes;
mod pods;
mod waypoints;
mod within;

use within::Within;

/// What to analyze, and how to print it.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Show also what is as it should be
    #[arg(long)]
    pub all: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// All namespaces; of manifests, all are shown unless one is named
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    #[command(flatten)]
    pub(super) source: Source,
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

/// Reads the mesh and says what there is to say; good if no finding is an error.
pub(super) async fn run(
    arguments: &Arguments,
    console: &mut Console<'_>,
) -> Result<Outcome, Error> {
    let (snapshot, mut report) = arguments.source.read().await?;
    mistakes::add(&snapshot, &mut report);
    let within = arguments.within().await?;
    let least = if arguments.all { Severity::Accepted } else { Severity::Notice };
    let findings: Findings<'_> = report.iter().filter(|(one, _)| within.has_ref(one)).collect();
    let good = findings.iter().all(|(_, finding)| finding.severity < Severity::Error);
    let text = match arguments.output {
        Output::Table => table(&snapshot, &findings, least, &within),
        Output::Json => json(&snapshot, &findings, least, &within)?,
    };
    console.out.text(&text)?;
    Ok(Outcome::good_if(good))
}

impl Arguments {
    /// How much of the mesh is shown: of a cluster one namespace, as with `kubectl`.
    async fn within(&self) -> Result<Within, Error> {
        let connection = &self.source.connection;
        Ok(Within::new(match (self.all_namespaces, &self.source.manifests) {
            (true, _) => None,
            (false, Some(_)) => connection.namespace.clone(),
            (false, None) => Some(connection.namespace(&connection.client().await?)),
        }))
    }
}

/// Findings about objects that are shown.
type Findings<'r> = Vec<(&'r ObjectRef, &'r Finding)>;

/// Findings, destinations, waypoints and pods as tables, and a sum.
fn table(snapshot: &Snapshot, findings: &Findings<'_>, least: Severity, within: &Within) -> String {
    let mut table = Table::new(["SEVERITY", "OBJECT", "REASON", "MESSAGE"]);
    for (object, finding) in findings_from(findings, least) {
        table.row([
            finding.severity.to_string(),
            object.to_string(),
            finding.reason.clone(),
            finding.message.clone(),
        ]);
    }
    let parts = [
        text_of(&table),
        text_of(&destinations::table(snapshot, within)),
        text_of(&waypoints::table(snapshot, within)),
        text_of(&pods::table(snapshot, within)),
        Some(sum(findings)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// A table's text, if it has rows.
fn text_of<const COLUMNS: usize>(table: &Table<COLUMNS>) -> Option<String> {
    (!table.is_empty()).then(|| table.to_string())
}

/// The same as one JSON object.
fn json(
    snapshot: &Snapshot,
    findings: &Findings<'_>,
    least: Severity,
    within: &Within,
) -> Result<String, Error> {
    let findings = findings_from(findings, least).map(|(object, finding)| {
        json!({
            "severity": finding.severity.to_string(),
            "object": named(object),
            "reason": finding.reason,
            "message": finding.message,
        })
    });
    let whole = json!({
        "findings": findings.collect::<Vec<_>>(),
        "bindings": destinations::json(snapshot, within),
        "waypoints": waypoints::json(snapshot, within),
        "pods": pods::json(snapshot, within),
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
fn findings_from<'r>(
    findings: &Findings<'r>,
    least: Severity,
) -> impl Iterator<Item = (&'r ObjectRef, &'r Finding)> {
    findings.iter().copied().filter(move |(_, finding)| finding.severity >= least)
}

/// How many findings of each severity there are.
fn sum(findings: &Findings<'_>) -> String {
    let count = |severity, what: &str| {
        let count = findings.iter().filter(|(_, one)| one.severity == severity).count();
        format!("{count} {what}{}", if count == 1 { "" } else { "s" })
    };
    let errors = count(Severity::Error, "error");
    let warnings = count(Severity::Warning, "warning");
    let notices = count(Severity::Notice, "notice");
    format!("{errors}, {warnings}, {notices}\n")
}
