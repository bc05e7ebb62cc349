//! What is asked of connections to each pod, whichever way they come.
//!
//! Only of enrolled pods is anything asked, as the others have no agent that would ask.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    cli::Table,
    mesh::{
        snapshot::Snapshot,
        workload::{Admission, Enrolment, MutualTls, Workload},
    },
    policy::Policies,
};

use super::within::Within;

/// For people: the pods of which anything is asked.
pub(super) fn table(snapshot: &Snapshot, within: &Within) -> Table<4> {
    let mut table = Table::new(["POD", "ADMISSION", "MUTUAL TLS", "POLICIES"]);
    for row in rows(snapshot, within) {
        let policies = if row.policies.is_empty() { "-".into() } else { row.policies.join(", ") };
        let pod = row.workload.name.to_string();
        let workload = row.workload;
        table.row([pod, admission(&workload.admission), mtls(&workload.mutual_tls), policies]);
    }
    table
}

/// For programs.
pub(super) fn json(snapshot: &Snapshot, within: &Within) -> Vec<Value> {
    let show = |row: Row<'_>| {
        let Workload { admission, mutual_tls, .. } = row.workload;
        json!({
            "pod": row.workload.name.to_string(),
            "admission": admission.mode.as_str(),
            "admissionSources": admission.sources,
            "admissionExemptPorts": admission.exempt_ports,
            "mutualTls": mtls(mutual_tls),
            "policies": row.policies,
        })
    };
    rows(snapshot, within).map(show).collect()
}

/// A pod of which something is asked.
struct Row<'s> {
    workload: &'s Workload,
    policies: Vec<String>,
}

fn rows<'s>(snapshot: &'s Snapshot, within: &'s Within) -> impl Iterator<Item = Row<'s>> {
    let enrolled = |workload: &&Arc<Workload>| {
        workload.enrolment == Enrolment::Enrolled && within.has(&workload.name)
    };
    snapshot.workloads().values().filter(enrolled).filter_map(|workload| {
        let policies = Policies::names_at_destination(snapshot, workload);
        let policies: Vec<_> = policies.iter().map(ToString::to_string).collect();
        let asked = !policies.is_empty()
            || workload.admission != Admission::default()
            || workload.mutual_tls != MutualTls::default();
        asked.then_some(Row { workload, policies })
    })
}

/// `strict, from 10.1.0.8, not on 15020`.
fn admission(admission: &Admission) -> String {
    let mut parts = vec![admission.mode.as_str().to_owned()];
    if !admission.sources.is_empty() {
        parts.push(format!("from {}", joined(&admission.sources)));
    }
    if !admission.exempt_ports.is_empty() {
        parts.push(format!("not on {}", joined(&admission.exempt_ports)));
    }
    parts.join(", ")
}

/// `STRICT but for 8080`.
fn mtls(mutual_tls: &MutualTls) -> String {
    let mode = if mutual_tls.strict { "STRICT" } else { "PERMISSIVE" };
    if mutual_tls.exceptions.is_empty() {
        return mode.to_owned();
    }
    format!("{mode} but for {}", joined(&mutual_tls.exceptions))
}

fn joined(all: &[impl ToString]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
