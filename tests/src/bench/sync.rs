//! How soon a change of a label is in force, and what following a cluster costs: a real API server,
//! and processes that follow it as an agent, a waypoint's pod and the controller do.
//!
//! The agent's data path is real too, and so are its BPF maps; that is why this wants root. Of its
//! own pods half are enrolled, and none has a process that could be found. The roles take turns, so
//! that none waits for the CPU of another.
//!
//! **Invariant:** a change is timed by the clock of this machine, from before it is asked for.

mod cluster;
pub mod follower;
pub mod following;
mod force;
mod machine;
mod report;
mod times;

use std::time::SystemTime;

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
    /// Labels that are changed in each, for each role.
    pub changes: usize,
    /// The roles.
    pub roles: Vec<Role>,
}

/// Measures, and says what was seen.
pub fn run(settings: &Settings) -> Result<Report> {
    let mut report = Report::new()?;
    for pods in &settings.pods {
        measure(*pods, settings, &mut report)?;
    }
    Ok(report)
}

/// Measures one size of cluster.
fn measure(pods: usize, settings: &Settings, report: &mut Report) -> Result<()> {
    eprintln!("a cluster of {pods} pods");
    let plane = ControlPlane::start()?;
    let cluster = Cluster::connect(&plane)?;
    cluster.prepare()?;
    let bare = |role: &Role| Follower::start(*role, plane.kubeconfig())?.memory();
    let bare = settings.roles.iter().map(bare).collect::<Result<Vec<_>>>()?;
    cluster.fill(pods)?;
    for (role, bare) in settings.roles.iter().zip(bare) {
        let mut follower = Follower::start(*role, plane.kubeconfig())?;
        let mut row = Row::new(*role, pods, follower.first(), bare);
        change(&cluster, &mut follower, &mut row, settings.changes).context(role.name())?;
        eprintln!("{row}");
        report.add(row);
    }
    Ok(())
}

/// Changes one label after the other.
fn change(cluster: &Cluster, follower: &mut Follower, row: &mut Row, changes: usize) -> Result<()> {
    let before = follower.cpu()?;
    for _ in 0..changes {
        let (service, is_bound) = cluster.toggle();
        let asked = SystemTime::now();
        cluster.bind(&service, is_bound)?;
        let answered = SystemTime::now();
        let seen = follower.wait_for(&service, is_bound)?;
        row.took(&seen, asked, answered);
    }
    row.spent(follower.cpu()?.saturating_sub(before), follower.memory()?);
    Ok(())
}
