//! The kinds of objects that are written, as the API server names them.
//!
//! It writes none of them.

use std::fmt;

use kube::core::ApiResource;

use crate::mesh::object::{ObjectName, ObjectRef};

/// A kind of object.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Kind {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The version that is written.
    pub version: &'static str,
    /// The name, as manifests write it.
    pub name: &'static str,
    /// The name in paths.
    pub plural: &'static str,
}

impl Kind {
    /// A kind of the core group.
    pub const fn core(name: &'static str, plural: &'static str) -> Self {
        Self { group: "", version: "v1", name, plural }
    }

    /// A kind of another group, in version 1.
    pub const fn of(group: &'static str, name: &'static str, plural: &'static str) -> Self {
        Self { group, version: "v1", name, plural }
    }

    /// The same kind in another version.
    #[must_use]
    pub const fn version(self, version: &'static str) -> Self {
        Self { version, ..self }
    }

    /// Group and version, as manifests write them.
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// The kind, as the client wants it.
    pub fn resource(&self) -> ApiResource {
        ApiResource {
            group: self.group.to_owned(),
            version: self.version.to_owned(),
            api_version: self.api_version(),
            kind: self.name.to_owned(),
            plural: self.plural.to_owned(),
        }
    }
}

/// What a write is about.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Target {
    /// The kind of the object.
    pub kind: Kind,
    /// Its name.
    pub name: ObjectName,
    /// What of it is written.
    pub part: Part,
}

impl Target {
    /// An object, but for its status.
    pub fn whole(kind: Kind, name: ObjectName) -> Self {
        Self { kind, name, part: Part::Whole }
    }

    /// The status of an object.
    pub fn status(kind: Kind, name: ObjectName) -> Self {
        Self { kind, name, part: Part::Status }
    }

    /// The object.
    pub fn object(&self) -> ObjectRef {
        ObjectRef::new(self.kind.name, self.name.clone())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Part::Whole => write!(f, "{} {}", self.kind.name, self.name),
            Part::Status => write!(f, "status of {} {}", self.kind.name, self.name),
        }
    }
}

/// What of an object is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Part {
    /// Everything but the status.
    Whole,
    /// The status.
    Status,
}

impl Part {
    /// The subresource, where it is one.
    pub const fn subresource(self) -> Option<&'static str> {
        match self {
            Self::Whole => None,
            Self::Status => Some("status"),
        }
    }
}

/// Kinds that waypoints run in, and kinds whose status is written.
pub const GATEWAY_CLASS: Kind = Kind::of(GATEWAY_API, "GatewayClass", "gatewayclasses");
/// See [`GATEWAY_CLASS`].
pub const GATEWAY: Kind = Kind::of(GATEWAY_API, "Gateway", "gateways");
/// See [`GATEWAY_CLASS`].
pub const HTTP_ROUTE: Kind = Kind::of(GATEWAY_API, "HTTPRoute", "httproutes");
/// See [`GATEWAY_CLASS`].
pub const GRPC_ROUTE: Kind = Kind::of(GATEWAY_API, "GRPCRoute", "grpcroutes");
/// See [`GATEWAY_CLASS`].
pub const SERVICE_ACCOUNT: Kind = Kind::core("ServiceAccount", "serviceaccounts");
/// See [`GATEWAY_CLASS`].
pub const SERVICE: Kind = Kind::core("Service", "services");
/// See [`GATEWAY_CLASS`].
pub const CONFIG_MAP: Kind = Kind::core("ConfigMap", "configmaps");
/// See [`GATEWAY_CLASS`].
pub const DEPLOYMENT: Kind = Kind::of("apps", "Deployment", "deployments");
/// See [`GATEWAY_CLASS`].
pub const AUTOSCALER: Kind =
    Kind::of("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers").version("v2");
/// See [`GATEWAY_CLASS`].
pub const DISRUPTION_BUDGET: Kind =
    Kind::of("policy", "PodDisruptionBudget", "poddisruptionbudgets");
/// See [`GATEWAY_CLASS`].
pub const CLUSTER_ROLE_BINDING: Kind =
    Kind::of("rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings");

const GATEWAY_API: &str = "gateway.networking.k8s.io";
