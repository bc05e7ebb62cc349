//! The shop as real pods in a cluster of two real nodes: installing Waypoint, using it as a person
//! does, upgrading it under load, and taking it away without a trace.
//!
//! **Invariant:** it changes the cluster by `kubectl` and `waypointctl` only, by the commands that
//! it shows. Those that install and uninstall are read out of the documentation.

mod acts;
mod documents;
mod scene;

use std::path::PathBuf;

use anyhow::Result;

use super::{ledger::Ledger, narrator, prompt::Prompt};
use crate::cluster::{Cluster, Place, Settings};
use scene::Scene;

/// Runs the demo on a cluster of its own, whose nodes get these images. True when everything was
/// as expected.
pub fn run(images: Vec<PathBuf>) -> Result<bool> {
    let prompt = Prompt::listen()?;
    narrator::say(INTRODUCTION);
    let settings = Settings { place: Place::of_this_process(), nodes: 2, images };
    let cluster = Cluster::start(&settings, &|step| narrator::came_back(step))?;
    let holds = tell(&cluster, &mut || prompt.check())?;
    narrator::say(FAREWELL);
    Ok(holds)
}

/// Tells everything on a cluster that is there. True when everything was as expected.
pub fn tell(cluster: &Cluster, check: &mut dyn FnMut() -> Result<()>) -> Result<bool> {
    let mut scene = Scene::new(cluster)?;
    let mut ledger = Ledger::default();
    for act in acts::ALL {
        check()?;
        if let Err(error) = act(&mut scene, &mut ledger) {
            narrator::came_back(&scene.state());
            return Err(error);
        }
    }
    narrator::title("What was seen");
    println!("{}", ledger.table());
    Ok(ledger.holds())
}

const INTRODUCTION: &str = "\
A cluster of two nodes on this machine, each with its own containerd, kubelet and kube-proxy, \
beside a control plane of etcd, kube-apiserver, kube-controller-manager and kube-scheduler. \
Everything below is typed as you would type it.";
const FAREWELL: &str = "The cluster and everything of it is removed.";
