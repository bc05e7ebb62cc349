//! Conditions of objects, as their status shows them.
//!
//! They say what was decided; when, and of which generation, is for whoever writes them.

/// A condition of an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Condition {
    /// The condition's type, such as [`WAYPOINT_BOUND`].
    pub kind: &'static str,
    /// The parent of a route that it is about; nothing where it is about the object as a whole.
    pub about: Option<Parent>,
    /// Whether it holds.
    pub status: Truth,
    /// One CamelCase word.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

impl Condition {
    /// A condition of an object as a whole.
    pub fn new(
        kind: &'static str,
        status: impl Into<Truth>,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let (reason, message) = (reason.into(), message.into());
        Self { kind, about: None, status: status.into(), reason, message }
    }

    /// The same condition, of one parent of a route.
    #[must_use]
    pub fn of(self, parent: &Parent) -> Self {
        Self { about: Some(parent.clone()), ..self }
    }
}

/// A reference of a route to its parent, as the route writes it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Parent {
    /// The API group.
    pub group: Option<String>,
    /// The kind.
    pub kind: Option<String>,
    /// The namespace, where it is not the route's.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
    /// The listener of a Gateway, or the port of a Service by name.
    pub section: Option<String>,
    /// The port.
    pub port: Option<i32>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Truth {
    /// It does.
    True,
    /// It does not.
    False,
    /// Nobody can say.
    Unknown,
}

impl Truth {
    /// How a condition's `status` spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// On what can be bound to a waypoint: whether it is.
pub const WAYPOINT_BOUND: &str = "istio.io/WaypointBound";
/// On what has no effect without a waypoint: that it has none.
pub const WAYPOINT_MISSING: &str = "istio.io/WaypointMissing";
/// Of a route's parent: whether the route is attached to it.
pub const ACCEPTED: &str = "Accepted";
/// Of a route's parent: whether everything that the route refers to can be used.
pub const RESOLVED_REFS: &str = "ResolvedRefs";
/// Of a route's parent: whether a waypoint stands before it, without which a route has no effect.
pub const RESOLVED_WAYPOINTS: &str = "ResolvedWaypoints";
/// Of a route's parent: whether every ready pod of its waypoints goes by the route.
pub const PROGRAMMED: &str = "Programmed";
/// Of a policy with targets: whether a waypoint enforces it.
pub const WAYPOINT_ACCEPTED: &str = "WaypointAccepted";
/// Of a policy without targets: whether the agents of its pods' nodes enforce it as written.
pub const ZTUNNEL_ACCEPTED: &str = "ZtunnelAccepted";
