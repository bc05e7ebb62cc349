//! The labels of Istio's standard metrics.
//!
//! **Invariant:** no label is empty: what is not known says `unknown`.

use crate::mesh::{service::Service, workload::Workload};

/// One side of a connection, as labels.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub struct Party {
    /// What owns the workload.
    pub workload: String,
    /// Its namespace.
    pub workload_namespace: String,
    /// Its identity.
    pub principal: String,
    /// Its label `app`.
    pub app: String,
    /// Its label `version`.
    pub version: String,
    /// Its canonical service.
    pub canonical_service: String,
    /// Its canonical revision.
    pub canonical_revision: String,
    /// Its cluster.
    pub cluster: String,
}

impl Party {
    /// The labels of a workload.
    pub fn of(workload: &Workload) -> Self {
        let known = |text: Option<&str>| text.unwrap_or(UNKNOWN).to_owned();
        Self {
            workload: workload.owner.clone(),
            workload_namespace: workload.name.namespace.clone(),
            principal: workload.identity.to_string(),
            app: known(workload.app()),
            version: known(workload.version()),
            canonical_service: workload.canonical_service().to_owned(),
            canonical_revision: workload.canonical_revision().to_owned(),
            cluster: CLUSTER.to_owned(),
        }
    }

    /// Labels that all say the same.
    pub fn all(word: &str) -> Self {
        let word = || word.to_owned();
        Self {
            workload: word(),
            workload_namespace: word(),
            principal: word(),
            app: word(),
            version: word(),
            canonical_service: word(),
            canonical_revision: word(),
            cluster: word(),
        }
    }

    /// The values, in the order of the fields.
    pub(super) fn values(&self) -> [&str; 8] {
        [
            &self.workload,
            &self.workload_namespace,
            &self.principal,
            &self.app,
            &self.version,
            &self.canonical_service,
            &self.canonical_revision,
            &self.cluster,
        ]
    }
}

impl Default for Party {
    fn default() -> Self {
        Self::all(UNKNOWN)
    }
}

/// The destination Service, as labels.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub struct ServiceLabels {
    /// Its host name.
    pub host: String,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

impl ServiceLabels {
    /// The labels of a Service.
    pub fn of(service: &Service, cluster_domain: &str) -> Self {
        Self {
            host: service.host(cluster_domain),
            name: service.name.name.clone(),
            namespace: service.name.namespace.clone(),
        }
    }
}

impl Default for ServiceLabels {
    fn default() -> Self {
        Self { host: UNKNOWN.into(), name: UNKNOWN.into(), namespace: UNKNOWN.into() }
    }
}

/// What was spoken, as a label.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Protocol {
    /// HTTP of any version.
    Http,
    /// gRPC.
    Grpc,
    /// Anything.
    Tcp,
}

impl Protocol {
    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
            Self::Tcp => "tcp",
        }
    }
}

/// Who tells of what was seen, as a label.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub enum Reporter {
    /// A waypoint.
    #[default]
    Waypoint,
    /// The client's node.
    Source,
    /// The destination's node.
    Destination,
}

impl Reporter {
    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waypoint => "waypoint",
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

/// What guards the connection between the reporter and the other side, as a label.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub enum Security {
    /// Nothing: the other side is on the same node, or the connection is plain.
    #[default]
    None,
    /// TLS in which both sides prove who they are.
    MutualTls,
    /// Not known.
    Unknown,
}

impl Security {
    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::MutualTls => "mutual_tls",
            Self::Unknown => UNKNOWN,
        }
    }
}

/// Source, destination and protocol.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub struct Pair {
    /// Who tells.
    pub reporter: Reporter,
    /// What guards the connection.
    pub security: Security,
    /// Who asked.
    pub source: Party,
    /// Who answered.
    pub destination: Party,
    /// What was asked for.
    pub service: ServiceLabels,
    /// What was spoken.
    pub protocol: Protocol,
}

impl Pair {
    /// The pair that stands for all beyond the limit.
    pub(super) fn overflow() -> Self {
        let word = || OVERFLOW.to_owned();
        Self {
            reporter: Reporter::default(),
            security: Security::Unknown,
            source: Party::all(OVERFLOW),
            destination: Party::all(OVERFLOW),
            service: ServiceLabels { host: word(), name: word(), namespace: word() },
            protocol: Protocol::Tcp,
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct Outcome {
    /// The status; zero when no response was begun.
    pub status: u16,
    /// The gRPC status, for gRPC.
    pub grpc: Option<u16>,
    /// The response flag.
    pub flag: &'static str,
}

impl Outcome {
    /// The outcome that stands for all beyond the limit.
    pub(super) const OVERFLOW: Self = Self { status: 0, grpc: None, flag: OVERFLOW };
}

/// The label of a gRPC status.
pub fn grpc_label(status: Option<u16>) -> String {
    status.map_or_else(|| UNKNOWN.to_owned(), |status| status.to_string())
}

/// What a label says when its value is not known.
const UNKNOWN: &str = "unknown";

/// What every label says of the series beyond the limit.
const OVERFLOW: &str = "overflow";

/// The cluster's name where none is configured, as Istio has it.
const CLUSTER: &str = "Kubernetes";
