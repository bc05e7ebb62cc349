//! What the verbs ask of a cluster, and the API server that they ask.
//!
//! **Invariant:** nothing is forced: what another field manager owns stays as it is.

use gateway_api::experimental::{gatewayclasses::GatewayClass, gateways::Gateway};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::Value;

use crate::{
    cli::{
        Connection, Error,
        request::{Denial, Request},
    },
    mesh::object::ObjectName,
};

/// What the verbs ask of a cluster.
pub(super) trait Cluster {
    /// A namespace, if it is there.
    async fn namespace(&self, name: &str) -> Result<Option<Namespace>, Denial>;
    /// Writes a namespace, unless somebody did since it was read.
    async fn replace_namespace(&self, namespace: &Namespace) -> Result<(), Denial>;
    /// Brings a Gateway in, or into this shape.
    async fn apply(&self, name: &ObjectName, manifest: &Value) -> Result<(), Denial>;
    /// A Gateway, if it is there.
    async fn gateway(&self, name: &ObjectName) -> Result<Option<Gateway>, Denial>;
    /// All Gateways, of a namespace or of all.
    async fn gateways(&self, namespace: Option<&str>) -> Result<Vec<Gateway>, Denial>;
    /// All GatewayClasses.
    async fn classes(&self) -> Result<Vec<GatewayClass>, Denial>;
    /// Removes a Gateway; says whether it was there.
    async fn delete(&self, name: &ObjectName) -> Result<bool, Denial>;
}

/// A cluster by its API server.
pub(super) struct Live {
    client: Client,
    /// The namespace that is meant.
    pub(super) namespace: String,
}

impl Live {
    /// The cluster that the arguments mean.
    pub(super) async fn open(connection: &Connection) -> Result<Self, Error> {
        let client = connection.client().await?;
        let namespace = connection.namespace(&client);
        Ok(Self { client, namespace })
    }

    fn gateways_of(&self, namespace: &str) -> Api<Gateway> {
        Api::namespaced(self.client.clone(), namespace)
    }

    fn namespaces(&self) -> Api<Namespace> {
        Api::all(self.client.clone())
    }
}

impl Cluster for Live {
    async fn namespace(&self, name: &str) -> Result<Option<Namespace>, Denial> {
        let request = of_namespace("get", name);
        found(&request, self.namespaces().get(name).await)
    }

    async fn replace_namespace(&self, namespace: &Namespace) -> Result<(), Denial> {
        let name = namespace.metadata.name.clone().unwrap_or_default();
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), dry_run: false };
        let replaced = self.namespaces().replace(&name, &params, namespace).await;
        replaced.map(drop).map_err(|error| Denial::of(&of_namespace("update", &name), &error))
    }

    async fn apply(&self, name: &ObjectName, manifest: &Value) -> Result<(), Denial> {
        let params = PatchParams::apply(MANAGER);
        let api = self.gateways_of(&name.namespace);
        let applied = api.patch(&name.name, &params, &Patch::Apply(manifest)).await;
        applied.map(drop).map_err(|error| Denial::of(&of_gateway("patch", name), &error))
    }

    async fn gateway(&self, name: &ObjectName) -> Result<Option<Gateway>, Denial> {
        let read = self.gateways_of(&name.namespace).get(&name.name).await;
        found(&of_gateway("get", name), read)
    }

    async fn gateways(&self, namespace: Option<&str>) -> Result<Vec<Gateway>, Denial> {
        let api = match namespace {
            Some(namespace) => self.gateways_of(namespace),
            None => Api::all(self.client.clone()),
        };
        let of = ObjectName::new(namespace.unwrap_or_default(), "");
        let listed = api.list(&ListParams::default()).await;
        let listed = listed.map_err(|error| Denial::of(&of_gateway("list", &of), &error))?;
        Ok(listed.items)
    }

    async fn classes(&self) -> Result<Vec<GatewayClass>, Denial> {
        let object = ObjectName::default();
        let request = Request { verb: "list", resource: CLASSES, object };
        let api: Api<GatewayClass> = Api::all(self.client.clone());
        let listed = api.list(&ListParams::default()).await;
        Ok(listed.map_err(|error| Denial::of(&request, &error))?.items)
    }

    async fn delete(&self, name: &ObjectName) -> Result<bool, Denial> {
        let api = self.gateways_of(&name.namespace);
        let deleted = api.delete(&name.name, &DeleteParams::default()).await;
        found(&of_gateway("delete", name), deleted).map(|found| found.is_some())
    }
}

/// What was asked for, unless it is not there.
fn found<T>(request: &Request, answer: Result<T, kube::Error>) -> Result<Option<T>, Denial> {
    match answer.map_err(|error| Denial::of(request, &error)) {
        Ok(object) => Ok(Some(object)),
        Err(Denial::Absent { .. }) => Ok(None),
        Err(denial) => Err(denial),
    }
}

fn of_gateway(verb: &'static str, name: &ObjectName) -> Request {
    Request { verb, resource: GATEWAYS, object: name.clone() }
}

fn of_namespace(verb: &'static str, name: &str) -> Request {
    Request { verb, resource: "namespaces", object: ObjectName::cluster(name) }
}

/// In whose name fields are written.
const MANAGER: &str = "waypointctl";
const GATEWAYS: &str = "gateways.gateway.networking.k8s.io";
const CLASSES: &str = "gatewayclasses.gateway.networking.k8s.io";
