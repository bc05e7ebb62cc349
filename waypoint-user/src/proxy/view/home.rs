//! Where this process runs, as far as it matters to which endpoints it takes.

use crate::{
    mesh::{object::ObjectName, snapshot::Snapshot},
    proxy::{Duty, Settings},
    select::Place,
};

/// Where this process runs.
#[derive(Clone, Debug, Default)]
pub(in crate::proxy) enum Home {
    /// Nobody said.
    #[default]
    Unknown,
    /// On a node.
    Node(String),
    /// In a pod.
    Pod(ObjectName),
}

impl Home {
    /// What the settings say.
    pub(in crate::proxy) fn of(settings: &Settings) -> Self {
        match (&settings.duty, &settings.pod) {
            (Duty::Node(node), _) => Self::Node(node.name.clone()),
            (_, Some(pod)) => Self::Pod(pod.clone()),
            _ => Self::Unknown,
        }
    }

    /// The place, as the mesh has it now.
    pub(super) fn place<'s>(&'s self, snapshot: &'s Snapshot) -> Place<'s> {
        match self {
            Self::Unknown => Place::default(),
            Self::Node(name) => Place::on_node(snapshot, name),
            Self::Pod(name) => {
                let pod = snapshot.workloads().get(name);
                Place::of_workload(snapshot, pod.map(AsRef::as_ref))
            }
        }
    }
}
