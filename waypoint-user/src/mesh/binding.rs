//! Which waypoint stands before a service or a workload, or why none does.
//!
//! `select` computes bindings; this module only says what one is.

use super::object::ObjectName;

/// The outcome of waypoint selection for one Service or workload.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Binding {
    /// No waypoint is asked for.
    #[default]
    Direct,
    /// The waypoint takes the traffic.
    Bound(ObjectName),
    /// A waypoint is asked for and cannot be used.
    Refused(Refusal),
}

impl Binding {
    /// The waypoint that takes the traffic, if one does.
    pub fn waypoint(&self) -> Option<&ObjectName> {
        match self {
            Self::Bound(waypoint) => Some(waypoint),
            Self::Direct | Self::Refused(_) => None,
        }
    }
}

/// A waypoint that was asked for and cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The waypoint that was asked for.
    pub waypoint: ObjectName,
    /// Why it cannot be used.
    pub reason: RefusalReason,
}

impl Refusal {
    /// The message of the condition `istio.io/WaypointBound`, in Istio's words.
    pub fn message(&self) -> String {
        let waypoint = &self.waypoint;
        match self.reason {
            RefusalReason::WaypointIsNotReady => format!("waypoint \"{waypoint}\" is not ready"),
            RefusalReason::AttachmentDenied => format!(
                "we are not permitted to attach to waypoint \"{waypoint}\" (missing allowedRoutes?)"
            ),
            RefusalReason::CrossNamespaceWaypointForbidden => format!(
                "cannot bind to waypoint \"{waypoint}\" in another namespace: cross-namespace \
                 waypoint binding is not permitted for a ServiceEntry with NAMESPACE visibility"
            ),
            RefusalReason::UnsupportedServiceTraffic => unsupported("service", waypoint),
            RefusalReason::UnsupportedWorkloadTraffic => unsupported("workload", waypoint),
            RefusalReason::MixedServiceAccounts => format!(
                "waypoint \"{waypoint}\" is for one service account, and the endpoints run under \
                 several"
            ),
        }
    }
}

/// Why a waypoint cannot be used (Istio `pilot/pkg/model/service.go`, condition reasons).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusalReason {
    /// There is no such waypoint, or it never became ready.
    WaypointIsNotReady,
    /// The waypoint's `allowedRoutes` leave the object's namespace out.
    AttachmentDenied,
    /// The waypoint is of another namespace, and the ServiceEntry is only for its own.
    CrossNamespaceWaypointForbidden,
    /// The waypoint takes no service-addressed traffic.
    UnsupportedServiceTraffic,
    /// The waypoint takes no workload-addressed traffic.
    UnsupportedWorkloadTraffic,
    /// The waypoint stands for a service account, and not every endpoint of the Service has it.
    MixedServiceAccounts,
}

impl RefusalReason {
    /// The condition's reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WaypointIsNotReady => "WaypointIsNotReady",
            Self::AttachmentDenied => "AttachmentDenied",
            Self::CrossNamespaceWaypointForbidden => "CrossNamespaceWaypointForbidden",
            Self::UnsupportedServiceTraffic | Self::UnsupportedWorkloadTraffic => {
                "UnsupportedTrafficType"
            }
            Self::MixedServiceAccounts => "MixedServiceAccounts",
        }
    }
}

/// A second waypoint beside the one that a Service is bound to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Canary {
    /// The second waypoint.
    pub waypoint: ObjectName,
    /// Of a hundred connections, how many it takes.
    pub weight: u32,
}

/// What happens to traffic whose waypoint is missing; [`FAIL_MODE`](super::label::FAIL_MODE).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FailMode {
    /// As Istio: direct when the waypoint cannot be resolved; when the agent is dead, refused where
    /// an AuthorizationPolicy applies to the destination, else direct.
    #[default]
    Unset,
    /// Always direct.
    Open,
    /// Always refused.
    Closed,
}

/// Istio's message for a waypoint that does not take this kind of traffic.
fn unsupported(traffic: &str, waypoint: &ObjectName) -> String {
    format!(
        "attempting to bind to traffic type \"{traffic}\" which the waypoint \
         \"{waypoint}\" does not support"
    )
}

#[cfg(test)]
mod tests;
