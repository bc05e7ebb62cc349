//! `waypointctl analyze`: what is accepted of manifests, and which waypoint stands before what.
//!
//! It reads them as `waypointd standalone` would, by the same code.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::{
    mesh::{
        binding::Refusal,
        object::{ObjectName, ObjectRef},
        report::{Finding, Report, Severity},
        snapshot::Snapshot,
        workload::Enrolment,
    },
    select::{self, Choice, Direct},
    sync::{self, directory},
};

use super::{Error, Outcome, Table};

/// What to analyze, and how to print it.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Directory of Kubernetes manifests (*.yaml, *.yml, *.json)
    #[arg(long, value_name = "DIR")]
    pub manifests: PathBuf,
    /// Show also what is as it should be
    #[arg(long)]
    pub all: bool,
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

/// Reads the manifests and says what there is to say; good if no finding is an error.
pub fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let settings = sync::Settings::new(&arguments.manifests);
    let (snapshot, report) = directory::read(&settings)?;
    let least = if arguments.all { Severity::Accepted } else { Severity::Notice };
    let text = match arguments.output {
        Output::Table => table(&snapshot, &report, least),
        Output::Json => json(&snapshot, &report, least)?,
    };
    Ok(Outcome { text, good: report.worst() != Some(Severity::Error) })
}

/// Findings and bindings as two tables and a sum.
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
    let mut bindings = Table::new(["DESTINATION", "WAYPOINT", "WITHOUT IT", "CAPTURED"]);
    for row in rows(snapshot) {
        let waypoint = match (row.waypoint, row.refused) {
            (Some(waypoint), _) => waypoint.to_string(),
            (None, Some(refusal)) => {
                format!("none ({}: {})", refusal.reason.as_str(), refusal.waypoint)
            }
            (None, None) => "none".to_owned(),
        };
        let object = row.object.to_string();
        bindings.row([object, waypoint, row.without.to_owned(), row.captured.to_owned()]);
    }
    let parts = [findings, bindings].into_iter().filter(|table| !table.is_empty());
    let mut parts: Vec<String> = parts.map(|table| table.to_string()).collect();
    parts.push(sum(report));
    parts.join("\n")
}

/// Findings and bindings as one JSON object.
fn json(snapshot: &Snapshot, report: &Report, least: Severity) -> Result<String, Error> {
    let findings = findings_from(report, least).map(|(object, finding)| {
        json!({
            "severity": finding.severity.to_string(),
            "object": named(object),
            "reason": finding.reason,
            "message": finding.message,
        })
    });
    let bindings = rows(snapshot).map(|row| {
        json!({
            "destination": named(&row.object),
            "waypoint": row.waypoint.map(ToString::to_string),
            "refused": row.refused.map(|refusal| json!({
                "waypoint": refusal.waypoint.to_string(),
                "reason": refusal.reason.as_str(),
            })),
            "without": row.without,
            "captured": row.captured,
        })
    });
    let whole = json!({
        "findings": findings.collect::<Vec<_>>(),
        "bindings": bindings.collect::<Vec<_>>(),
    });
    Ok(serde_json::to_string_pretty(&whole)? + "\n")
}

fn named(object: &ObjectRef) -> serde_json::Value {
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

/// One destination and its waypoint.
struct Row<'a> {
    object: ObjectRef,
    waypoint: Option<&'a ObjectName>,
    refused: Option<&'a Refusal>,
    without: &'static str,
    captured: &'static str,
}

/// Services, then pods, by name.
fn rows(snapshot: &Snapshot) -> impl Iterator<Item = Row<'_>> {
    let services = snapshot.services().values().map(|service| {
        let object = ObjectRef::new("Service", service.name.clone());
        let captured = if service.is_headless() { "as its pods" } else { "by its address" };
        row(object, &select::for_service(service), service.fail_closed, captured)
    });
    let workloads = snapshot.workloads().values().map(|workload| {
        let object = ObjectRef::new("Pod", workload.name.clone());
        let captured = enrolment(workload.enrolment);
        row(object, &select::for_workload(workload), workload.fail_closed, captured)
    });
    services.chain(workloads)
}

fn row<'a>(
    object: ObjectRef,
    choice: &Choice<'a>,
    closed: bool,
    captured: &'static str,
) -> Row<'a> {
    let (waypoint, refused) = match choice {
        Choice::Waypoint { waypoint, .. } => (Some(*waypoint), None),
        Choice::Direct(Direct::Refused(refusal)) | Choice::Refuse(refusal) => {
            (None, Some(*refusal))
        }
        Choice::Direct(_) => (None, None),
    };
    Row { object, waypoint, refused, without: without(choice, closed), captured }
}

/// What becomes of connections when nothing serves the waypoint.
fn without(choice: &Choice<'_>, closed: bool) -> &'static str {
    match choice {
        Choice::Direct(Direct::NoWaypoint(_)) => "-",
        _ if closed => "refused",
        _ => "direct",
    }
}

fn enrolment(enrolment: Enrolment) -> &'static str {
    match enrolment {
        Enrolment::Enrolled => "yes",
        Enrolment::NotLabelled => "no: not labelled",
        Enrolment::OptedOut => "no: opted out",
        Enrolment::HostNetwork => "no: host network",
        Enrolment::Sidecar => "no: has a sidecar",
        Enrolment::ExcludedNamespace => "no: namespace left out",
        Enrolment::Waypoint => "no: is a waypoint",
    }
}
