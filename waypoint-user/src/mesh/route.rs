//! Routes attached to Services: HTTPRoutes and GRPCRoutes, by which requests go, and TLSRoutes and
//! TCPRoutes, by which whole connections do (Gateway API `apis/v1/httproute_types.go` and those
//! beside it, GEP-1294).
//!
//! They are kept as written; `route` orders, matches and applies them.

use super::{
    object::{ObjectName, Version},
    pattern::Regex,
};

pub use self::{
    conduct::{Carrier, Conduct, Persistence, Retry, Timeouts},
    cors::{Cors, Names, OriginPattern},
    filter::{
        AuthProtocol, ExternalAuth, HeaderEdit, HttpFilter, Mirror, PathEdit, Redirect, Rewrite,
    },
};

mod conduct;
mod cors;
mod filter;

/// A route with at least one Service as its parent. A GRPCRoute is one by the paths of its calls;
/// of a TLSRoute or TCPRoute only the first rule counts, and of that only the backends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpRoute {
    /// As what it was written.
    pub kind: RouteKind,
    /// Its name.
    pub name: ObjectName,
    /// Which version of it this is.
    pub version: Version,
    /// Seconds since the epoch at which it was made, if known; older routes win ties.
    pub created: Option<i64>,
    /// The Services it is attached to.
    pub parents: Vec<ServiceParent>,
    /// The names of servers, in lower case, whose connections a TLSRoute is for; none for all.
    pub hostnames: Vec<String>,
    /// Its rules, in the order written.
    pub rules: Vec<HttpRule>,
}

/// Kinds of routes, the least specific first. On one port of a Service only those of the most
/// specific kind count.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash, Ord, PartialOrd)]
pub enum RouteKind {
    /// A TCPRoute, of connections.
    Tcp,
    /// A TLSRoute, of connections by the server's name.
    Tls,
    /// An HTTPRoute.
    #[default]
    Http,
    /// A GRPCRoute, which is more specific.
    Grpc,
}

impl RouteKind {
    /// Every kind, the most usual first.
    pub const ALL: [Self; 4] = [Self::Http, Self::Grpc, Self::Tls, Self::Tcp];

    /// Whether whole connections go by it, whatever is spoken on them.
    pub const fn is_of_connections(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }

    /// The kind of the object, as manifests write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCPRoute",
            Self::Tls => "TLSRoute",
            Self::Http => "HTTPRoute",
            Self::Grpc => "GRPCRoute",
        }
    }
}

impl HttpRoute {
    /// The clients for whom it is attached to a port of a Service: those of one namespace, or all.
    /// `None` when it is not attached there.
    pub fn clients(&self, service: &ObjectName, port: u16) -> Option<Option<&str>> {
        let parent = self.parents.iter().find(|parent| parent.is(service, port))?;
        Some(parent.clients.as_deref())
    }
}

/// A Service, or one port of it, that a route is attached to.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub struct ServiceParent {
    /// The Service.
    pub service: ObjectName,
    /// The Service's port, or all of them.
    pub port: Option<u16>,
    /// The namespace whose clients it is for, where it is not for all: that of a consumer's route.
    pub clients: Option<String>,
}

impl ServiceParent {
    /// A Service or its port, for all clients.
    pub const fn new(service: ObjectName, port: Option<u16>) -> Self {
        Self { service, port, clients: None }
    }

    /// Whether it is a port of a Service.
    fn is(&self, service: &ObjectName, port: u16) -> bool {
        self.service == *service && self.port.is_none_or(|of_parent| of_parent == port)
    }
}

/// A rule: any match, then all filters, then one backend by weight.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HttpRule {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Alternatives; none matches every request.
    pub matches: Vec<HttpMatch>,
    /// What is done to the request and the response.
    pub filters: Vec<HttpFilter>,
    /// Where requests go.
    pub backends: Vec<HttpBackend>,
    /// How requests are brought there.
    pub conduct: Conduct,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HttpMatch {
    /// The path.
    pub path: PathMatch,
    /// Header fields; of a name that is repeated only the first condition counts.
    pub headers: Vec<ValueMatch>,
    /// Query parameters; of a name that is repeated only the first condition counts.
    pub query: Vec<ValueMatch>,
    /// The method; none is every method but CONNECT.
    pub method: Option<String>,
}

/// A condition on the path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PathMatch {
    /// The whole path.
    Exact(String),
    /// Leading path elements; `/` matches every path.
    Prefix(String),
    /// The whole path, as an expression.
    Regex(Regex),
}

impl Default for PathMatch {
    fn default() -> Self {
        Self::Prefix("/".to_owned())
    }
}

/// A condition on a header field or a query parameter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ValueMatch {
    /// The name; header names are in lower case.
    pub name: String,
    /// What its value must be.
    pub value: ValuePattern,
}

/// What a value must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ValuePattern {
    /// Exactly this.
    Exact(String),
    /// This expression, wholly.
    Regex(Regex),
}

/// A backend with its share of the requests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpBackend {
    /// Its share; zero gets nothing.
    pub weight: u32,
    /// Where its share goes.
    pub target: BackendTarget,
    /// What is done to its share of the requests.
    pub filters: Vec<HttpFilter>,
}

/// Where a backend's requests go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BackendTarget {
    /// A port of a Service.
    Service(ObjectName, u16),
    /// Nowhere: the reference is invalid, and its share is answered with 500, or reset where it is
    /// of connections.
    Invalid(String),
}
