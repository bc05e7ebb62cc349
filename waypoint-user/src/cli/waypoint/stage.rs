//! A cluster for unit tests: what is in it, who else writes, and what was done.

use std::{cell::RefCell, collections::BTreeMap};

use gateway_api::experimental::{gatewayclasses::GatewayClass, gateways::Gateway};
use k8s_openapi::api::core::v1::Namespace;
use serde_json::{Value, json};

use super::cluster::Cluster;
use crate::{
    cli::{
        Console, Error, Outcome,
        console::{Look, Stream},
        request::Denial,
    },
    mesh::object::ObjectName,
};

/// The cluster.
#[derive(Default)]
pub(super) struct Stage {
    pub(super) namespaces: RefCell<BTreeMap<String, Namespace>>,
    pub(super) gateways: RefCell<BTreeMap<ObjectName, Gateway>>,
    /// How many more writes of namespaces somebody else is faster at.
    pub(super) contenders: RefCell<u32>,
    /// After how many looks Gateways become programmed.
    pub(super) programmed_after: RefCell<u32>,
    /// What was written, in order.
    pub(super) done: RefCell<Vec<String>>,
    /// What Gateways are denied with.
    pub(super) denial: RefCell<Option<fn() -> Denial>>,
}

impl Stage {
    /// With one namespace, which has these labels.
    pub(super) fn with(namespace: &str, labels: &Value) -> Self {
        let stage = Self::default();
        let object = json!({ "metadata": { "name": namespace, "labels": labels } });
        let object = serde_json::from_value(object).unwrap();
        stage.namespaces.borrow_mut().insert(namespace.to_owned(), object);
        stage
    }

    /// Adds a Gateway.
    pub(super) fn gateway(self, gateway: Value) -> Self {
        let gateway: Gateway = serde_json::from_value(gateway).unwrap();
        self.gateways.borrow_mut().insert(super::rows::name(&gateway), gateway);
        self
    }

    /// A label of a namespace.
    pub(super) fn label(&self, namespace: &str, key: &str) -> Option<String> {
        let namespaces = self.namespaces.borrow();
        namespaces[namespace].metadata.labels.as_ref()?.get(key).cloned()
    }

    fn denied(&self) -> Result<(), Denial> {
        self.denial.borrow().map_or(Ok(()), |denial| Err(denial()))
    }

    fn log(&self, what: String) {
        self.done.borrow_mut().push(what);
    }
}

impl Cluster for Stage {
    async fn namespace(&self, name: &str) -> Result<Option<Namespace>, Denial> {
        Ok(self.namespaces.borrow().get(name).cloned())
    }

    async fn replace_namespace(&self, namespace: &Namespace) -> Result<(), Denial> {
        let name = namespace.metadata.name.clone().unwrap();
        let fewer = self.contenders.borrow().checked_sub(1);
        if let Some(fewer) = fewer {
            self.contenders.replace(fewer);
            let request = format!("update namespaces {name}");
            return Err(Denial::Conflict { request, cause: "the object has been modified".into() });
        }
        self.log(format!("update namespace {name}"));
        self.namespaces.borrow_mut().insert(name, namespace.clone());
        Ok(())
    }

    async fn apply(&self, name: &ObjectName, manifest: &Value) -> Result<(), Denial> {
        self.denied()?;
        self.log(format!("apply {name}"));
        let gateway = serde_json::from_value(manifest.clone()).unwrap();
        self.gateways.borrow_mut().insert(name.clone(), gateway);
        Ok(())
    }

    async fn gateway(&self, name: &ObjectName) -> Result<Option<Gateway>, Denial> {
        self.denied()?;
        let mut gateway = self.gateways.borrow().get(name).cloned();
        let looks = self.programmed_after.borrow().checked_sub(1);
        if let Some(left) = looks {
            self.programmed_after.replace(left);
        } else if let Some(gateway) = &mut gateway {
            *gateway = programmed(gateway);
        }
        Ok(gateway)
    }

    async fn gateways(&self, namespace: Option<&str>) -> Result<Vec<Gateway>, Denial> {
        self.denied()?;
        let gateways = self.gateways.borrow();
        let of = |name: &ObjectName| namespace.is_none_or(|namespace| name.namespace == namespace);
        Ok(gateways.iter().filter(|(name, _)| of(name)).map(|(_, one)| one.clone()).collect())
    }

    async fn classes(&self) -> Result<Vec<GatewayClass>, Denial> {
        Ok(Vec::new())
    }

    async fn delete(&self, name: &ObjectName) -> Result<bool, Denial> {
        self.denied()?;
        self.log(format!("delete {name}"));
        Ok(self.gateways.borrow_mut().remove(name).is_some())
    }
}

/// The same Gateway, programmed.
fn programmed(gateway: &Gateway) -> Gateway {
    let mut value = serde_json::to_value(gateway).unwrap();
    value["status"] = json!({ "conditions": [condition("True", "Programmed", "it is")] });
    serde_json::from_value(value).unwrap()
}

/// The condition that counts.
pub(super) fn condition(status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": "Programmed", "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    })
}

/// A Gateway of a class.
pub(super) fn gateway(name: &str, class: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": { "name": name, "namespace": "shop", "labels": labels },
        "spec": { "gatewayClassName": class, "listeners": [] },
    })
}

/// Arguments as a shell would hand them over.
pub(super) fn arguments<A: clap::Args>(words: &[&str]) -> A {
    #[derive(clap::Parser)]
    struct Line<A: clap::Args> {
        #[command(flatten)]
        arguments: A,
    }
    let words = [&["waypointctl"], words].concat();
    <Line<A> as clap::Parser>::try_parse_from(words).unwrap().arguments
}

/// What a command printed, to both streams.
pub(super) async fn printed(
    command: impl AsyncFnOnce(&mut Console<'_>) -> Result<Outcome, Error>,
) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = Console {
        out: Stream::new(&mut out, Look::default()),
        err: Stream::new(&mut err, Look::default()),
    };
    let end = match command(&mut console).await {
        Ok(outcome) => format!("{outcome:?}"),
        Err(error) => error.to_string(),
    };
    let [out, err] = [out, err].map(|bytes| String::from_utf8(bytes).unwrap());
    (out + &err, end)
}
