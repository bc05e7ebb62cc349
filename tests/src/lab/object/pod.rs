//! A Pod.

use crate::{
    lab::{address::Addresses, topology::Cabling},
    shop::Protocol,
};

use super::{GATEWAY_NAME, Manifest, Meta, Object, SERVER_PORT};

/// A Pod, and the server in it.
#[derive(Clone, Debug)]
pub struct Pod {
    pub(in crate::lab) meta: Meta,
    pub(in crate::lab) serves: Vec<(Protocol, u16)>,
    pub(in crate::lab) cabling: Cabling,
    pub(in crate::lab) node: Option<String>,
    pub(in crate::lab) gateway: Option<String>,
    pub(in crate::lab) further: Vec<String>,
    pub(in crate::lab) ready: bool,
    announced: bool,
    pub(in crate::lab) account: String,
}

/// Where a pod is, for its manifest.
#[derive(Clone, Copy, Debug)]
pub(in crate::lab) struct Place<'a> {
    /// Its network namespace's name.
    pub(in crate::lab) netns: &'a str,
    /// Its addresses.
    pub(in crate::lab) addresses: Addresses,
    /// Its node's name.
    pub(in crate::lab) node: &'a str,
}

impl Pod {
    /// A client: nothing listens in it. Its service account has its name.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            meta: Meta::new(namespace, name),
            serves: Vec::new(),
            cabling: Cabling::Routed,
            node: None,
            gateway: None,
            further: Vec::new(),
            ready: true,
            announced: true,
            account: name.to_owned(),
        }
    }

    /// A server of an app: it serves HTTP on [`SERVER_PORT`] and carries the label `app`.
    pub fn server(namespace: &str, name: &str, app: &str) -> Self {
        Self::new(namespace, name).label("app", app).serves(Protocol::Http, SERVER_PORT)
    }

    /// With a server on a port.
    #[must_use]
    pub fn serves(mut self, protocol: Protocol, port: u16) -> Self {
        self.serves.push((protocol, port));
        self
    }

    /// On a Linux bridge.
    #[must_use]
    pub fn bridged(mut self) -> Self {
        self.cabling = Cabling::Bridged;
        self
    }

    /// On a node of that name, instead of the first.
    #[must_use]
    pub fn on_node(mut self, node: &str) -> Self {
        self.node = Some(node.to_owned());
        self
    }

    /// With another service account.
    #[must_use]
    pub fn account(mut self, account: &str) -> Self {
        account.clone_into(&mut self.account);
        self
    }

    /// With another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.meta.name);
        self
    }

    /// With further arguments for the waypoint in it.
    #[must_use]
    pub fn arguments<'a>(mut self, further: impl IntoIterator<Item = &'a str>) -> Self {
        self.further.extend(further.into_iter().map(str::to_owned));
        self
    }

    /// As it is in a cluster: with a uid, and without a word of where its network namespace is.
    #[must_use]
    pub fn unannounced(mut self, uid: &str) -> Self {
        self.meta.uid = Some(uid.to_owned());
        self.announced = false;
        self
    }

    /// Ready, as every pod is at first, or not.
    #[must_use]
    pub fn ready(mut self, ready: bool) -> Self {
        self.ready = ready;
        self
    }

    pub(in crate::lab) fn manifest(&self, place: Place<'_>) -> Manifest {
        let Place { netns, addresses: Addresses { v4, v6 }, node } = place;
        let (account, ready) = (&self.account, if self.ready { "True" } else { "False" });
        let rest = format!(
            "\
spec:
  serviceAccountName: {account}
  nodeName: {node}
  containers:
  - name: shop
    image: shop
status:
  phase: Running
  podIP: {v4}
  podIPs:
  - ip: {v4}
  - ip: '{v6}'
  conditions:
  - type: Ready
    status: '{ready}'
"
        );
        let mut meta = self.meta.clone();
        if self.announced {
            meta.annotations.insert(NETNS.to_owned(), netns.to_owned());
        }
        Manifest { kind: "Pod", version: "v1", meta, rest }
    }
}

impl Object for Pod {
    fn meta(&mut self) -> &mut Meta {
        &mut self.meta
    }
}

/// A pod in which a waypoint runs.
#[derive(Debug)]
pub struct WaypointPod;

impl WaypointPod {
    /// An instance of a Gateway, with the Gateway's name and service account.
    #[allow(clippy::new_ret_no_self, reason = "a waypoint's pod is a pod")]
    pub fn of(namespace: &str, gateway: &str) -> Pod {
        let pod = Pod::new(namespace, gateway).label(GATEWAY_NAME, gateway);
        Pod { gateway: Some(gateway.to_owned()), ..pod }
    }
}

const NETNS: &str = "waypoint.dev/netns";
