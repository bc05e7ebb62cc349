//! Kubernetes objects, the last good version of each.
//!
//! It holds them as they are written; `translate` gives them their meaning.
//!
//! **Invariant:** what is in here passed admission: it is well-formed by itself, whatever it refers
//! to. What stands in for an object that never did says so of itself ([`Object::is_read`]).

mod table;

use std::sync::Arc;

use gateway_api::experimental::{
    gatewayclasses::GatewayClass, gateways::Gateway, grpcroutes::GrpcRoute, httproutes::HttpRoute,
    referencegrants::ReferenceGrant, tcproutes::TcpRoute, tlsroutes::TlsRoute,
};
use k8s_openapi::api::{
    core::v1::{Namespace, Node, Pod, Service},
    discovery::v1::EndpointSlice,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::mesh::object::ObjectName;

use super::{
    authorization::{AuthorizationPolicy, TargetRef},
    peer_authentication,
    service_entry::ServiceEntry,
    traffic_policy::{self, TrafficPolicy},
    translate::check,
    workload_entry::WorkloadEntry,
};

pub use self::table::Table;

/// One object.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant is the kind of its name")]
pub enum Object {
    Namespace(Arc<Namespace>),
    Node(Arc<Node>),
    Pod(Arc<Pod>),
    Service(Arc<Service>),
    EndpointSlice(Arc<EndpointSlice>),
    GatewayClass(Arc<GatewayClass>),
    Gateway(Arc<Gateway>),
    HttpRoute(Arc<HttpRoute>),
    GrpcRoute(Arc<GrpcRoute>),
    TlsRoute(Arc<TlsRoute>),
    TcpRoute(Arc<TcpRoute>),
    Policy(Policy),
    PeerAuthentication(PeerAuthentication),
    ReferenceGrant(Arc<ReferenceGrant>),
    ServiceEntry(Arc<ServiceEntry>),
    TrafficPolicy(Arc<TrafficPolicy>),
    UnreadTrafficPolicy(Arc<UnreadTrafficPolicy>),
    WorkloadEntry(Arc<WorkloadEntry>),
}

impl Object {
    /// Whether it was understood.
    pub fn is_read(&self) -> bool {
        match self {
            Self::Policy(Policy::Unread(_))
            | Self::PeerAuthentication(PeerAuthentication::Unread(_))
            | Self::UnreadTrafficPolicy(_) => false,
            Self::Gateway(gateway) => check::gateway(gateway).is_ok(),
            _ => true,
        }
    }
}

/// An AuthorizationPolicy, read or not.
#[derive(Clone, Debug)]
pub enum Policy {
    /// It was understood.
    Read(Arc<AuthorizationPolicy>),
    /// It was not, and there is no good version of it.
    Unread(Targets),
}

/// What is known of the targets of a policy that was not understood.
#[derive(Clone, Debug)]
pub enum Targets {
    /// These.
    Known(Vec<TargetRef>),
    /// One of them at least could not be read.
    Unknown,
    /// It has none: it is for pods, by this selector.
    Pods(Option<serde_json::Value>),
    /// Nobody knows whether it has any.
    Everything,
}

/// A TrafficPolicy of which no version was understood. Nothing goes by it; its status says why.
#[derive(Clone, Debug)]
pub struct UnreadTrafficPolicy {
    /// What is known of every object.
    pub metadata: ObjectMeta,
    /// Those of its targets that can be read.
    pub targets: Vec<traffic_policy::TargetRef>,
    /// What it says of itself.
    pub status: serde_json::Value,
}

/// A PeerAuthentication, read or not.
#[derive(Clone, Debug)]
pub enum PeerAuthentication {
    /// It was understood.
    Read(Arc<peer_authentication::PeerAuthentication>),
    /// It was not, and there is no good version of it; its selector, as far as it has one.
    Unread(Option<serde_json::Value>),
}

/// All objects of a source, by kind and name.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each field holds the kind of its name")]
pub struct Objects {
    pub namespaces: Table<Arc<Namespace>>,
    pub nodes: Table<Arc<Node>>,
    pub pods: Table<Arc<Pod>>,
    pub services: Table<Arc<Service>>,
    pub endpoint_slices: Table<Arc<EndpointSlice>>,
    pub gateway_classes: Table<Arc<GatewayClass>>,
    pub gateways: Table<Arc<Gateway>>,
    pub http_routes: Table<Arc<HttpRoute>>,
    pub grpc_routes: Table<Arc<GrpcRoute>>,
    pub tls_routes: Table<Arc<TlsRoute>>,
    pub tcp_routes: Table<Arc<TcpRoute>>,
    pub policies: Table<Policy>,
    pub peer_authentications: Table<PeerAuthentication>,
    pub reference_grants: Table<Arc<ReferenceGrant>>,
    pub service_entries: Table<Arc<ServiceEntry>>,
    pub traffic_policies: Table<Arc<TrafficPolicy>>,
    pub unread_traffic_policies: Table<Arc<UnreadTrafficPolicy>>,
    pub workload_entries: Table<Arc<WorkloadEntry>>,
}

impl Objects {
    /// Adds an object; one of the same kind and name is replaced.
    pub fn insert(&mut self, name: ObjectName, object: Object) {
        match object {
            Object::Namespace(object) => self.namespaces.insert(name, object),
            Object::Node(object) => self.nodes.insert(name, object),
            Object::Pod(object) => self.pods.insert(name, object),
            Object::Service(object) => self.services.insert(name, object),
            Object::EndpointSlice(object) => self.endpoint_slices.insert(name, object),
            Object::GatewayClass(object) => self.gateway_classes.insert(name, object),
            Object::Gateway(object) => self.gateways.insert(name, object),
            Object::HttpRoute(object) => self.http_routes.insert(name, object),
            Object::GrpcRoute(object) => self.grpc_routes.insert(name, object),
            Object::TlsRoute(object) => self.tls_routes.insert(name, object),
            Object::TcpRoute(object) => self.tcp_routes.insert(name, object),
            Object::Policy(object) => self.policies.insert(name, object),
            Object::PeerAuthentication(object) => {
                self.peer_authentications.insert(name, object);
            }
            Object::ReferenceGrant(object) => self.reference_grants.insert(name, object),
            Object::ServiceEntry(object) => self.service_entries.insert(name, object),
            Object::TrafficPolicy(object) => {
                self.unread_traffic_policies.remove(&name);
                self.traffic_policies.insert(name, object);
            }
            Object::UnreadTrafficPolicy(object) => {
                self.traffic_policies.remove(&name);
                self.unread_traffic_policies.insert(name, object);
            }
            Object::WorkloadEntry(object) => self.workload_entries.insert(name, object),
        }
    }

    /// Removes the object of this name that is of the same kind as another.
    pub fn remove(&mut self, name: &ObjectName, like: &Object) {
        match like {
            Object::Namespace(_) => self.namespaces.remove(name),
            Object::Node(_) => self.nodes.remove(name),
            Object::Pod(_) => self.pods.remove(name),
            Object::Service(_) => self.services.remove(name),
            Object::EndpointSlice(_) => self.endpoint_slices.remove(name),
            Object::GatewayClass(_) => self.gateway_classes.remove(name),
            Object::Gateway(_) => self.gateways.remove(name),
            Object::HttpRoute(_) => self.http_routes.remove(name),
            Object::GrpcRoute(_) => self.grpc_routes.remove(name),
            Object::TlsRoute(_) => self.tls_routes.remove(name),
            Object::TcpRoute(_) => self.tcp_routes.remove(name),
            Object::Policy(_) => self.policies.remove(name),
            Object::PeerAuthentication(_) => self.peer_authentications.remove(name),
            Object::ReferenceGrant(_) => self.reference_grants.remove(name),
            Object::ServiceEntry(_) => self.service_entries.remove(name),
            Object::TrafficPolicy(_) | Object::UnreadTrafficPolicy(_) => {
                self.traffic_policies.remove(name);
                self.unread_traffic_policies.remove(name);
            }
            Object::WorkloadEntry(_) => self.workload_entries.remove(name),
        }
    }
}
