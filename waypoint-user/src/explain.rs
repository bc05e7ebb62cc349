//! Why a connection does or does not take a waypoint: what was decided of it, in order, each with
//! the object and the field that decided it.
//!
//! It decides nothing itself: it asks `select`, `policy` and `route`, as the agent and the proxy
//! do, and says what they answered.
//!
//! **Invariant:** the same Snapshot and question give the same explanation.

mod address;
mod binding;
mod capture;
mod client;
mod conclusion;
mod endpoints;
mod ingress;
mod judged;
mod outside;
mod remarks;
mod routes;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    mesh::{
        binding::Binding,
        object::{ObjectName, ObjectRef},
        report::Report,
        service::Service,
        snapshot::Snapshot,
        workload::Workload,
    },
    select::{Accounts, Mesh},
};

use self::address::Dialled;

/// A connection that somebody wonders about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    /// The pod that opens it.
    pub client: ObjectName,
    /// What it dials: a Service's name as the pod may write it, or an address.
    pub host: String,
    /// The port that it dials.
    pub port: u16,
}

/// What becomes of it, and why.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The pod that opens it.
    pub client: String,
    /// What it dials.
    pub destination: String,
    /// The address that this means, if it is known.
    pub address: Option<String>,
    /// What was decided, in order.
    pub steps: Vec<Step>,
    /// Where it goes.
    pub path: Path,
    /// The waypoint that should take it.
    pub asked: Option<String>,
    /// All of it in a sentence.
    pub conclusion: String,
}

impl Explanation {
    /// Whether what was asked for is what happens.
    pub fn is_as_asked(&self) -> bool {
        match &self.path {
            Path::Waypoint => true,
            Path::Direct => self.asked.is_none(),
            Path::Refused => false,
        }
    }
}

/// Where a connection goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// Through a waypoint.
    Waypoint,
    /// To its destination, without one.
    Direct,
    /// Nowhere.
    Refused,
}

/// One decision.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What it is about, in a word.
    pub topic: String,
    /// What was decided.
    pub says: String,
    /// By what.
    #[serde(rename = "decidedBy")]
    pub decided_by: Vec<Decider>,
    /// Whether this is why something does not happen that somebody asked for.
    pub amiss: bool,
}

impl Step {
    fn new(topic: &str, says: impl Into<String>) -> Self {
        Self { topic: topic.to_owned(), says: says.into(), decided_by: Vec::new(), amiss: false }
    }

    /// The same, decided by a field of an object.
    fn by(mut self, object: impl fmt::Display, field: impl Into<String>) -> Self {
        self.decided_by.push(Decider { object: object.to_string(), field: field.into() });
        self
    }

    /// The same, and in somebody's way.
    fn amiss_if(self, amiss: bool) -> Self {
        Self { amiss: self.amiss || amiss, ..self }
    }
}

/// A field of an object, perhaps with its value.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Decider {
    /// Kind and name.
    pub object: String,
    /// The field, as `kubectl explain` names it.
    pub field: String,
}

/// Explains a connection.
pub fn explain(
    snapshot: &Snapshot,
    report: &Report,
    question: &Question,
) -> Result<Explanation, Unknown> {
    let client = snapshot.workloads().get(&question.client);
    let client = client.ok_or_else(|| Unknown::Pod(question.client.clone()))?;
    let dialled = address::find(snapshot, report, client, question)?;
    let case = Case { snapshot, report, client, dialled };
    let mut steps = vec![client::step(&case), address::step(&case)];
    steps.extend(binding::steps(&case));
    steps.extend(ingress::step(&case));
    steps.extend(endpoints::steps(&case));
    steps.push(capture::step(&case));
    steps.extend(judged::steps(&case));
    steps.extend(routes::steps(&case));
    steps.extend(conclusion::fail_mode(&case));
    let remarks = remarks::steps(&case, &steps);
    steps.extend(remarks);
    let (path, conclusion) = conclusion::of(&case);
    Ok(Explanation {
        client: question.client.to_string(),
        destination: format!("{}:{}", question.host, question.port),
        address: case.dialled.address().map(|address| address.to_string()),
        steps,
        path,
        asked: case.wanted().map(ToString::to_string),
        conclusion,
    })
}

/// What is not there to be explained.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// The client.
    #[error(
        "there is no Pod {0}, or it has no address; name it as namespace/pod, or its namespace \
         with -n"
    )]
    Pod(ObjectName),
    /// The destination.
    #[error(
        "{host:?} is no address, and there is no Service {service}; write service, \
         service.namespace, or an address"
    )]
    Host {
        /// What was written.
        host: String,
        /// The Service that it would be.
        service: ObjectName,
    },
    /// A name that cannot be a Service's.
    #[error(
        "{0:?} is no address and no Service's name; names outside the cluster have addresses that \
         only their clients learn: write the address"
    )]
    Name(String),
    /// A headless Service that leads nowhere.
    #[error("Service {0} is headless and has no endpoint; name a pod's address")]
    Empty(ObjectName),
}

/// A connection, and what is known of it.
struct Case<'s> {
    snapshot: &'s Snapshot,
    report: &'s Report,
    client: &'s Arc<Workload>,
    dialled: Dialled<'s>,
}

impl<'s> Case<'s> {
    /// What bindings are resolved against.
    fn mesh(&self) -> Mesh<'s> {
        let (waypoints, namespaces) = (self.snapshot.waypoints(), self.snapshot.namespaces());
        Mesh { waypoints, namespaces, accounts: Accounts::none() }
    }

    /// The waypoint that should take the connection, whether it can or not. What a namespace's
    /// label asks for its Services is nothing that its pods want.
    fn wanted(&self) -> Option<&'s ObjectName> {
        match self.dialled.binding()? {
            Binding::Bound(waypoint) => Some(waypoint),
            Binding::Refused(refusal) => Some(&refusal.waypoint),
            Binding::Direct => None,
        }
    }

    /// The waypoint that the destination's labels ask for.
    fn asked(&self) -> Option<ObjectName> {
        let (object, labels) = self.dialled.labelled()?;
        self.mesh().asked(&object.name.namespace, labels)?.waypoint
    }

    /// The waypoint that takes connections to the destination, if they are captured.
    fn waypoint(&self) -> Option<&'s ObjectName> {
        self.dialled.binding()?.waypoint()
    }
}

/// Refers to a Service, or to the ServiceEntry that it is a host of.
fn of_service(service: &Service) -> ObjectRef {
    match &service.external {
        Some(external) => ObjectRef::new("ServiceEntry", external.entry.clone()),
        None => ObjectRef::new("Service", service.name.clone()),
    }
}

/// Refers to a workload.
fn of_workload(workload: &Workload) -> ObjectRef {
    ObjectRef::new(workload.kind.as_str(), workload.name.clone())
}

/// Refers to a namespace.
fn namespace(name: &str) -> ObjectRef {
    ObjectRef::new("Namespace", ObjectName::cluster(name))
}

/// A label as a field, with its value or without it.
fn label(key: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("metadata.labels[{key}]: {value}"),
        None => format!("metadata.labels[{key}] is not there"),
    }
}

/// `1 endpoint`, `2 endpoints`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
