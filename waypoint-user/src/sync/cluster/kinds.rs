//! The kinds that are read from a cluster, as a table.
//!
//! It says nothing of what they mean. A kind that is added here needs a row in `admit` too.

use super::prune::{self, Keep};

/// A kind that is read.
#[derive(Debug)]
pub(super) struct Kind {
    /// Its name.
    pub(super) name: &'static str,
    /// The API group; empty for the core.
    pub(super) group: &'static str,
    /// Versions that we understand, the one that we would rather have first.
    pub(super) versions: &'static [&'static str],
    /// The resource's name in paths.
    pub(super) plural: &'static str,
    /// Which of its objects are wanted, as a field selector.
    pub(super) fields: &'static str,
    /// Whether nothing may be enforced before it could be read: without it, what is there might be
    /// permitted or passed by although an object says otherwise.
    pub(super) is_vital: bool,
    /// Whether no more than an object's metadata is asked for.
    pub(super) only_metadata: bool,
    /// What of an object is kept.
    pub(super) keep: Keep,
}

impl Kind {
    /// Whether every API server serves it.
    pub(super) fn is_built_in(&self) -> bool {
        matches!(self.group, "" | "discovery.k8s.io" | DEFINITIONS_GROUP)
    }

    /// Group and version, as `apiVersion` has it.
    pub(super) fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// The name of the CustomResourceDefinition that makes it known.
    pub(super) fn definition(&self) -> String {
        format!("{}.{}", self.plural, self.group)
    }

    /// The kind and its group, as findings name them.
    pub(super) fn title(&self) -> String {
        if self.group.is_empty() {
            self.name.to_owned()
        } else {
            format!("{}.{}", self.name, self.group)
        }
    }
}

/// What most rows have.
const KIND: Kind = Kind {
    name: "",
    group: "",
    versions: &["v1"],
    plural: "",
    fields: "",
    is_vital: false,
    only_metadata: false,
    keep: Keep::Most,
};

/// What makes other kinds known.
pub(super) static DEFINITION: Kind = Kind {
    name: "CustomResourceDefinition",
    group: DEFINITIONS_GROUP,
    plural: "customresourcedefinitions",
    only_metadata: true,
    keep: Keep::Fields(prune::NAMESPACE),
    ..KIND
};
const DEFINITIONS_GROUP: &str = "apiextensions.k8s.io";

/// The Gateway API's group.
const GATEWAY: &str = "gateway.networking.k8s.io";
/// Istio's group of what is outside the cluster.
const NETWORKING: &str = "networking.istio.io";
/// Istio's versions of it.
const NETWORKING_VERSIONS: &[&str] = &["v1", "v1beta1", "v1alpha3"];
/// Istio's group of security policies.
const SECURITY: &str = "security.istio.io";
/// The Gateway API's versions.
const GATEWAY_VERSIONS: &[&str] = &["v1", "v1beta1"];
/// Istio's versions.
const ISTIO_VERSIONS: &[&str] = &["v1", "v1beta1"];
/// Pods that have not ended.
const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// Every kind.
pub(super) static KINDS: &[Kind] = &[
    Kind {
        name: "Namespace",
        plural: "namespaces",
        is_vital: true,
        keep: Keep::Fields(prune::NAMESPACE),
        ..KIND
    },
    Kind { name: "Node", plural: "nodes", keep: Keep::Fields(prune::NODE), ..KIND },
    Kind {
        name: "Pod",
        plural: "pods",
        fields: RUNNING,
        is_vital: true,
        keep: Keep::Fields(prune::POD),
        ..KIND
    },
    Kind { name: "Service", plural: "services", is_vital: true, ..KIND },
    Kind {
        name: "EndpointSlice",
        group: "discovery.k8s.io",
        plural: "endpointslices",
        keep: Keep::Fields(prune::ENDPOINT_SLICE),
        ..KIND
    },
    Kind {
        name: "GatewayClass",
        group: GATEWAY,
        versions: GATEWAY_VERSIONS,
        plural: "gatewayclasses",
        ..KIND
    },
    Kind {
        name: "Gateway",
        group: GATEWAY,
        versions: GATEWAY_VERSIONS,
        plural: "gateways",
        is_vital: true,
        ..KIND
    },
    Kind {
        name: "HTTPRoute",
        group: GATEWAY,
        versions: GATEWAY_VERSIONS,
        plural: "httproutes",
        ..KIND
    },
    Kind { name: "GRPCRoute", group: GATEWAY, plural: "grpcroutes", ..KIND },
    Kind {
        name: "TLSRoute",
        group: GATEWAY,
        versions: &["v1", "v1alpha3", "v1alpha2"],
        plural: "tlsroutes",
        ..KIND
    },
    Kind {
        name: "TCPRoute",
        group: GATEWAY,
        versions: &["v1", "v1alpha2"],
        plural: "tcproutes",
        ..KIND
    },
    Kind {
        name: "ReferenceGrant",
        group: GATEWAY,
        versions: GATEWAY_VERSIONS,
        plural: "referencegrants",
        ..KIND
    },
    Kind {
        name: "ServiceEntry",
        group: NETWORKING,
        versions: NETWORKING_VERSIONS,
        plural: "serviceentries",
        ..KIND
    },
    Kind {
        name: "WorkloadEntry",
        group: NETWORKING,
        versions: NETWORKING_VERSIONS,
        plural: "workloadentries",
        ..KIND
    },
    Kind {
        name: "AuthorizationPolicy",
        group: SECURITY,
        versions: ISTIO_VERSIONS,
        plural: "authorizationpolicies",
        is_vital: true,
        ..KIND
    },
    Kind {
        name: "PeerAuthentication",
        group: SECURITY,
        versions: ISTIO_VERSIONS,
        plural: "peerauthentications",
        is_vital: true,
        ..KIND
    },
    Kind {
        name: "TrafficPolicy",
        group: "waypoint.dev",
        versions: &["v1alpha1"],
        plural: "trafficpolicies",
        ..KIND
    },
];
