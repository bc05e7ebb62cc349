//! Reaches pods of a cluster that agents, waypoints and the controller run in, and asks their admin
//! endpoints through the API server.
//!
//! What it needs of RBAC is to list pods, and to create `pods/portforward`.

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta, Portforwarder},
};
use tokio::io::BufReader;

use crate::mesh::object::ObjectName;

use super::{
    Error,
    admin::{self, Connection},
    request::{Denial, Request},
};

/// The port of admin endpoints, at the pods' loopback address.
pub(super) const ADMIN_PORT: u16 = 15_000;

/// A page of a pod's admin endpoint.
pub(super) async fn page(
    client: &Client,
    pod: &ObjectName,
    port: u16,
    path: &str,
) -> Result<String, Error> {
    let opened = open(client, pod, port, path).await?;
    admin::whole(opened.page).await.map_err(|cause| Error::Pod { pod: pod.clone(), cause })
}

/// A page that is being read.
pub(super) struct Opened {
    /// The rest of it.
    pub(super) page: BufReader<Connection>,
    /// What brings it here; without it, the page ends.
    pub(super) forwarder: Portforwarder,
}

/// Asks a pod's admin endpoint for a page.
pub(super) async fn open(
    client: &Client,
    pod: &ObjectName,
    port: u16,
    path: &str,
) -> Result<Opened, Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
    let request = Request { verb: "create", resource: "pods/portforward", object: pod.clone() };
    let forwarder = api.portforward(&pod.name, &[port]).await;
    let mut forwarder = forwarder.map_err(|error| Denial::of(&request, &error))?;
    let broken = |cause| Error::Pod { pod: pod.clone(), cause };
    let missing = || broken(std::io::ErrorKind::NotConnected.into());
    let stream: Connection = Box::new(forwarder.take_stream(port).ok_or_else(missing)?);
    let page = admin::open(stream, path).await.map_err(broken)?;
    Ok(Opened { page, forwarder })
}

/// The agent of a node.
pub(super) async fn agent_of(
    client: &Client,
    system_namespace: &str,
    node: &str,
) -> Result<ObjectName, Error> {
    let of_node = format!("spec.serviceAccountName={AGENT},spec.nodeName={node}");
    let pods =
        pods(client, Some(system_namespace), &ListParams::default().fields(&of_node)).await?;
    let first = pods.iter().map(|pod| name(&pod.metadata)).next();
    first.ok_or_else(|| Error::NoAgent {
        node: node.to_owned(),
        namespace: system_namespace.to_owned(),
    })
}

/// Pods of a namespace or of all, by a selector.
pub(super) async fn pods(
    client: &Client,
    namespace: Option<&str>,
    selected: &ListParams,
) -> Result<Vec<Pod>, Error> {
    let api: Api<Pod> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let object = ObjectName::new(namespace.unwrap_or_default(), "");
    let request = Request { verb: "list", resource: "pods", object };
    let listed = api.list(selected).await;
    Ok(listed.map_err(|error| Denial::of(&request, &error))?.items)
}

/// A pod.
pub(super) async fn pod(client: &Client, name: &ObjectName) -> Result<Pod, Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &name.namespace);
    let request = Request { verb: "get", resource: "pods", object: name.clone() };
    Ok(api.get(&name.name).await.map_err(|error| Denial::of(&request, &error))?)
}

/// The name of an object.
pub(super) fn name(metadata: &ObjectMeta) -> ObjectName {
    let ObjectMeta { namespace, name, .. } = metadata;
    ObjectName::new(namespace.clone().unwrap_or_default(), name.clone().unwrap_or_default())
}

/// The account of agents.
pub(super) const AGENT: &str = "waypoint-agent";
/// The account of controllers.
pub(super) const CONTROLLER: &str = "waypoint-controller";
