//! What rules and backends of routes do to requests and responses (Gateway API `HTTPRouteFilter`).
//!
//! Nothing is done here; `route` decides and the proxy acts.

use crate::mesh::object::ObjectName;

use super::Cors;

/// Something done to a request or its response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HttpFilter {
    /// `RequestHeaderModifier`.
    RequestHeaders(HeaderEdit),
    /// `ResponseHeaderModifier`.
    ResponseHeaders(HeaderEdit),
    /// `RequestRedirect`.
    Redirect(Redirect),
    /// `URLRewrite`.
    Rewrite(Rewrite),
    /// `RequestMirror`.
    Mirror(Mirror),
    /// `CORS`.
    Cors(Cors),
    /// `ExternalAuth`.
    Auth(ExternalAuth),
}

/// Changes to header fields, applied in the order set, add, remove; names are in lower case.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HeaderEdit {
    /// Replace every value of the name.
    pub set: Vec<(String, String)>,
    /// Add a value to the name.
    pub add: Vec<(String, String)>,
    /// Remove every value of the name.
    pub remove: Vec<String>,
}

/// A redirect; what is `None` is taken from the request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Redirect {
    /// The scheme of the `Location`.
    pub scheme: Option<String>,
    /// The host of the `Location`.
    pub hostname: Option<String>,
    /// The path of the `Location`.
    pub path: Option<PathEdit>,
    /// The port of the `Location`.
    pub port: Option<u16>,
    /// The status code.
    pub status: u16,
}

/// A rewrite of the request; what is `None` stays.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rewrite {
    /// The host.
    pub hostname: Option<String>,
    /// The path.
    pub path: Option<PathEdit>,
}

/// A change of the path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PathEdit {
    /// The whole path.
    Full(String),
    /// What the rule's prefix matched.
    Prefix(String),
}

/// A copy of a share of the requests, whose answers nobody waits for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mirror {
    /// The Service that gets the copies.
    pub service: ObjectName,
    /// The Service's port.
    pub port: u16,
    /// How many of [`of`](Self::of) requests are copied.
    pub share: u32,
    /// Of how many; not zero.
    pub of: u32,
}

/// Somebody who is asked whether a request may pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExternalAuth {
    /// The Service that is asked.
    pub service: ObjectName,
    /// The Service's port.
    pub port: u16,
    /// Fields of the request that are told; names in lower case. By HTTP `Authorization` is told as
    /// well, and by gRPC every field if none is named.
    pub told: Vec<String>,
    /// How long a body may be that is shown; a longer one is refused, and by zero none is shown.
    pub shows: usize,
    /// How they are asked.
    pub by: AuthProtocol,
}

/// How somebody is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AuthProtocol {
    /// By the head of the request.
    Http {
        /// What stands before its path.
        path: String,
        /// Fields of the answer that the request gets; none means all of them.
        gets: Vec<String>,
    },
    /// By Envoy's `ext_authz`.
    Grpc,
}
