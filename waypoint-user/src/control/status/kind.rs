//! The kinds of objects that have a status of ours, and where in it we speak.

use kube::api::{ApiResource, GroupVersionKind};

use crate::mesh::{
    condition::{WAYPOINT_ACCEPTED, WAYPOINT_BOUND, WAYPOINT_MISSING, ZTUNNEL_ACCEPTED},
    route::RouteKind,
};

/// A kind of object that has a status of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Service,
    ServiceEntry,
    WorkloadEntry,
    Route(RouteKind),
    AuthorizationPolicy,
    TrafficPolicy,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::ServiceEntry => "ServiceEntry",
            Self::WorkloadEntry => "WorkloadEntry",
            Self::Route(kind) => kind.as_str(),
            Self::AuthorizationPolicy => "AuthorizationPolicy",
            Self::TrafficPolicy => "TrafficPolicy",
        }
    }

    /// The field of the status that is a list of ours and of others.
    pub(super) const fn list(self) -> &'static str {
        match self {
            Self::Route(_) => "parents",
            Self::TrafficPolicy => "ancestors",
            Self::Service
            | Self::ServiceEntry
            | Self::WorkloadEntry
            | Self::AuthorizationPolicy => "conditions",
        }
    }

    /// The field of an item of that list that says what it is about, where it has one.
    pub(super) const fn reference(self) -> &'static str {
        match self {
            Self::TrafficPolicy => "ancestorRef",
            _ => "parentRef",
        }
    }

    /// The types of conditions that are ours; nothing where the list is of parents.
    pub(super) const fn types(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Service | Self::WorkloadEntry => Some(&[WAYPOINT_BOUND]),
            Self::ServiceEntry => Some(&[WAYPOINT_BOUND, WAYPOINT_MISSING]),
            Self::AuthorizationPolicy => Some(&[WAYPOINT_ACCEPTED, ZTUNNEL_ACCEPTED]),
            Self::Route(_) | Self::TrafficPolicy => None,
        }
    }

    /// Whether the API server merges the list by itself.
    pub(super) const fn is_merged(self) -> bool {
        matches!(self, Self::Service)
    }

    /// Versions of the API that a server may have it in, the one that we would rather have first.
    pub(super) const fn versions(self) -> &'static [&'static str] {
        match self {
            Self::Route(RouteKind::Tls) => &["v1", "v1alpha3", "v1alpha2"],
            Self::Route(RouteKind::Tcp) => &["v1", "v1alpha2"],
            Self::TrafficPolicy => &["v1alpha1"],
            _ => &["v1"],
        }
    }

    pub(super) fn resource(self, version: &str) -> ApiResource {
        let (group, plural) = match self {
            Self::Service => ("", "services"),
            Self::ServiceEntry => ("networking.istio.io", "serviceentries"),
            Self::WorkloadEntry => ("networking.istio.io", "workloadentries"),
            Self::Route(RouteKind::Http) => ("gateway.networking.k8s.io", "httproutes"),
            Self::Route(RouteKind::Grpc) => ("gateway.networking.k8s.io", "grpcroutes"),
            Self::Route(RouteKind::Tls) => ("gateway.networking.k8s.io", "tlsroutes"),
            Self::Route(RouteKind::Tcp) => ("gateway.networking.k8s.io", "tcproutes"),
            Self::AuthorizationPolicy => ("security.istio.io", "authorizationpolicies"),
            Self::TrafficPolicy => ("waypoint.dev", "trafficpolicies"),
        };
        let named = GroupVersionKind::gvk(group, version, self.as_str());
        ApiResource::from_gvk_with_plural(&named, plural)
    }
}
