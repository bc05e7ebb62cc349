//! How soon a change of a label is in force, and what following a cluster costs: a real API server,
//! and processes that follow it as an agent and as a waypoint's pod do.
//!
//! The agent's data path is real too, and so are its BPF maps; that is why this wants root.
//!
//! **Invariant:** a change is timed by the clock of this machine, from before it is asked for.

mod cluster;
pub mod follower;
mod report;

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use crate::kube::ControlPlane;

use cluster::Cluster;
use follower::{Follower, Role};
pub use report::Report;
use report::Row;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Pods of each cluster.
    pub pods: Vec<usize>,
    /// Labels that are changed in each.
    pub changes: usize,
}

/// Measures, and says what was seen.
pub fn run(settings: &Settings) -> Result<Report> {
    let mut report = Report::default();
    for pods in &settings.pods {
        for row in measure(*pods, settings.changes)? {
            eprintln!("{row}");
            report.add(row);
        }
    }
    Ok(report)
}

/// Measures one size of cluster.
fn measure(pods: usize, changes: usize) -> Result<Vec<Row>> {
    let plane = ControlPlane::start()?;
    let cluster = Cluster::connect(&plane)?;
    cluster.prepare()?;
    let roles = [Role::Agent, Role::Waypoint];
    let bare = roles.map(|role| Follower::start(role, plane.kubeconfig())?.memory());
    eprintln!("making {pods} pods");
    cluster.fill(pods)?;
    let mut followers = Vec::new();
    for role in roles {
        followers.push(Follower::start(role, plane.kubeconfig())?);
    }
    let mut rows: Vec<Row> = Vec::new();
    for (follower, bare) in followers.iter().zip(bare) {
        let memory = follower.memory()?.saturating_sub(bare?);
        rows.push(Row::new(follower.role(), pods, follower.first(), memory));
    }
    let before: Vec<Duration> = followers.iter().map(Follower::cpu).collect::<Result<_>>()?;
    for change in 0..changes {
        let (service, is_bound) = cluster.toggle(change);
        let asked = SystemTime::now();
        cluster.bind(&service, is_bound)?;
        let answered = SystemTime::now();
        for (follower, row) in followers.iter_mut().zip(&mut rows) {
            let seen = follower.wait_for(&service, is_bound).context(follower.role().name())?;
            row.took(&seen, asked, answered);
        }
    }
    for ((follower, row), before) in followers.iter().zip(&mut rows).zip(before) {
        row.spent(follower.cpu()?.saturating_sub(before));
    }
    Ok(rows)
}
