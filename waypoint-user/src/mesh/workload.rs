//! A workload: one pod, or what a WorkloadEntry stands for, as an address, an identity and a set of
//! labels.
//!
//! It says nothing of the pod's containers.

mod admission;

use std::{fmt, net::IpAddr, path::PathBuf, sync::Arc};

pub use self::admission::{Admission, AdmissionMode, MutualTls};

use super::{
    binding::{Binding, FailMode},
    label::Labels,
    object::ObjectName,
    spiffe::{DEFAULT_TRUST_DOMAIN, SpiffeId},
};

/// A pod that has an address and is not in a terminal phase, or a WorkloadEntry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Workload {
    /// The object's name; no pod and WorkloadEntry share one.
    pub name: ObjectName,
    /// What it is made of.
    pub kind: WorkloadKind,
    /// What tells it from every other workload, also from an earlier one of the same name.
    pub uid: Arc<str>,
    /// The node it runs on; empty when that is not known.
    pub node: String,
    /// Where it is, if not where its node is.
    pub locality: Option<Locality>,
    /// Its labels.
    pub labels: Labels,
    /// Its identity.
    pub identity: Arc<SpiffeId>,
    /// At most one address of each family.
    pub addresses: Vec<IpAddr>,
    /// Whether it is ready and not being deleted.
    pub ready: bool,
    /// Whether its connections are captured.
    pub enrolment: Enrolment,
    /// Whether it shares the node's network.
    pub host_network: bool,
    /// The Gateway it is an instance of.
    pub instance_of: Option<ObjectName>,
    /// Where its network namespace is, if it is on this node.
    pub netns: Option<NetnsRef>,
    /// What owns it, as metrics name it: a Deployment's name, or the pod's own.
    pub owner: String,
    /// Its own waypoint, for connections addressed to it.
    pub binding: Binding,
    /// How other nodes reach it.
    pub transport: Transport,
    /// What happens when its waypoint is missing.
    pub fail_mode: FailMode,
    /// Whether its waypoint-bound connections are refused while no agent serves them.
    pub fail_closed: bool,
    /// On which of its ports callers must prove who they are.
    pub mutual_tls: MutualTls,
    /// Which connections to it are counted or refused.
    pub admission: Admission,
}

impl Workload {
    /// A workload of this name that is ready and asks for nothing, with the identity of its
    /// namespace's account `default`.
    pub fn new(name: ObjectName) -> Self {
        Self {
            uid: name.to_string().into(),
            kind: WorkloadKind::Pod,
            node: String::new(),
            locality: None,
            labels: Labels::new(),
            identity: Arc::new(SpiffeId::new(DEFAULT_TRUST_DOMAIN, &name.namespace, "default")),
            addresses: Vec::new(),
            ready: true,
            enrolment: Enrolment::NotLabelled,
            host_network: false,
            instance_of: None,
            netns: None,
            owner: name.name.clone(),
            binding: Binding::Direct,
            transport: Transport::Plain,
            fail_mode: FailMode::Unset,
            fail_closed: false,
            mutual_tls: MutualTls::default(),
            admission: Admission::default(),
            name,
        }
    }

    /// The label `app`, or `app.kubernetes.io/name`.
    pub fn app(&self) -> Option<&str> {
        self.label(&["app", "app.kubernetes.io/name"])
    }

    /// The label `version`, or `app.kubernetes.io/version`.
    pub fn version(&self) -> Option<&str> {
        self.label(&["version", "app.kubernetes.io/version"])
    }

    /// Istio's canonical service name, else the owner's name.
    pub fn canonical_service(&self) -> &str {
        let keys = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"];
        self.label(&keys).unwrap_or(&self.owner)
    }

    /// Istio's canonical revision, else `latest`.
    pub fn canonical_revision(&self) -> &str {
        let keys = ["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"];
        self.label(&keys).unwrap_or("latest")
    }

    /// The value of the first of these labels that is there.
    fn label(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| self.labels.get(*key)).map(String::as_str)
    }
}

/// What a workload is made of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum WorkloadKind {
    /// A pod.
    #[default]
    Pod,
    /// A WorkloadEntry: something outside the cluster, which has no node and no network namespace.
    Entry,
}

impl WorkloadKind {
    /// The kind of the object, as manifests write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::Entry => "WorkloadEntry",
        }
    }
}

/// Where something is; what is not known is empty.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Locality {
    /// The region.
    pub region: String,
    /// The zone.
    pub zone: String,
}

/// Whether a pod's connections are captured, or why not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Enrolment {
    /// They are.
    Enrolled,
    /// Neither the pod nor its namespace asks for it.
    NotLabelled,
    /// The pod opts out.
    OptedOut,
    /// The pod shares the node's network.
    HostNetwork,
    /// The pod has a sidecar.
    Sidecar,
    /// The namespace is left out by configuration.
    ExcludedNamespace,
    /// The pod is a waypoint itself.
    Waypoint,
}

/// How a workload is reached.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Transport {
    /// By ordinary TCP.
    #[default]
    Plain,
    /// By HBONE on port 15008 of its own address, where it proves its identity.
    Hbone,
}

/// A network namespace on this node.
#[derive(Clone, Debug, Eq, PartialEq, Hash, Ord, PartialOrd)]
pub enum NetnsRef {
    /// A name under `/run/netns`.
    Name(String),
    /// A path.
    Path(PathBuf),
    /// The namespace of a process.
    Pid(u32),
}

impl NetnsRef {
    /// Parses `name`, `/path` or `pid:N`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(pid) = text.strip_prefix("pid:") {
            return pid.parse().ok().filter(|pid| *pid > 0).map(Self::Pid);
        }
        if text.starts_with('/') {
            return Some(Self::Path(PathBuf::from(text)));
        }
        let plain = !text.is_empty() && !text.contains('/') && text != "." && text != "..";
        plain.then(|| Self::Name(text.to_owned()))
    }

    /// The file that stands for the namespace.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Name(name) => PathBuf::from("/run/netns").join(name),
            Self::Path(path) => path.clone(),
            Self::Pid(pid) => PathBuf::from(format!("/proc/{pid}/ns/net")),
        }
    }
}

impl fmt::Display for NetnsRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Path(path) => path.display().fmt(f),
            Self::Pid(pid) => write!(f, "pid:{pid}"),
        }
    }
}

#[cfg(test)]
mod tests;
