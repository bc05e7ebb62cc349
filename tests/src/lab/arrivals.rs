//! Pods that come and go while a mesh runs, as kubelets let them.

use anyhow::{Context, Result, ensure};

use super::{Inhabitant, Lab, Netns, Pod, topology};

impl Lab {
    /// Adds a pod: it is told of when it has an address, and ready when what runs in it is.
    pub fn add_pod(&mut self, pod: Pod) -> Result<()> {
        let (name, is_waypoint) = (pod.meta.name.clone(), pod.gateway.is_some());
        let last = self.pods.values().map(|one| one.number).max().unwrap_or_default();
        let netns = Netns::create(&[self.name.of(&name)])?.remove(0);
        self.settle_in(pod.ready(false), netns, last + 1)?;
        for server in &mut self.pods.get_mut(&name).context("it was added")?.servers {
            server.wait_for("listening on")?;
        }
        if is_waypoint {
            self.resume_waypoint(&name)?;
        }
        self.edit_pod(&name, |pod| pod.ready(true))
    }

    /// Ends a waypoint's pod of a cluster: that it is to end is written down, what runs in it is
    /// asked to, and when it has, the pod is gone.
    pub fn end_waypoint(&mut self, name: &str) -> Result<()> {
        let namespace = self.inhabitant(name)?.pod.meta.namespace.clone();
        let delete = ["delete", "pod", name, "--namespace", &namespace, "--wait=false"];
        self.control_plane()?.kubectl(&delete)?;
        let mut waypoint = self.take_waypoint(name).context("no waypoint runs in it")?;
        let ended = waypoint.stop()?;
        ensure!(ended.success(), "the waypoint ended with {ended}\n{}", waypoint.last_words(20));
        let Inhabitant { number, node, .. } = self.pods.remove(name).context("it was there")?;
        let link = topology::host_side(number);
        self.nodes.named(&node)?.netns.ip(&format!("link del {link}\n"))?;
        self.manifests.remove("Pod", name)
    }
}
