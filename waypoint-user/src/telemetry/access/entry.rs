//! One line of the access log.
//!
//! **Invariant:** what the mesh and the client's message hold already is shared, not copied.

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderValue, Method, uri::PathAndQuery};

use crate::mesh::{service::Service, spiffe::SpiffeId, workload::Workload};

use super::{line::Line, timestamp::Timestamp};

/// What is logged of a request or of a TCP connection.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it began.
    pub start: SystemTime,
    /// The rule that routed it.
    pub route_name: Option<Arc<str>>,
    /// The method of a request.
    pub method: Option<Method>,
    /// Path and query, as the client sent them.
    pub path: Option<PathAndQuery>,
    /// `HTTP/1.1`, `HTTP/2`; nothing for TCP.
    pub protocol: Option<&'static str>,
    /// The status; zero when no response was begun, and for TCP.
    pub response_code: u16,
    /// The response flag, if it did not end well.
    pub response_flags: Option<&'static str>,
    /// Why the response is what it is.
    pub response_code_details: Option<Cow<'static, str>>,
    /// Why the connection was closed.
    pub connection_termination_details: Option<String>,
    /// Bytes of the body from the client, or of the connection.
    pub bytes_received: u64,
    /// Bytes of the body to the client, or of the connection.
    pub bytes_sent: u64,
    /// From the first byte to the last.
    pub duration: Duration,
    /// How long the upstream took to begin its response.
    pub upstream_service_time: Option<Duration>,
    /// `x-forwarded-for`, as it was sent on.
    pub x_forwarded_for: Option<HeaderValue>,
    /// `user-agent`.
    pub user_agent: Option<HeaderValue>,
    /// `x-request-id`, as it was sent on.
    pub request_id: Option<HeaderValue>,
    /// The authority that the client asked for.
    pub authority: Option<String>,
    /// The endpoint.
    pub upstream_host: Option<SocketAddr>,
    /// The Service behind the rule, as Istio names clusters.
    pub upstream_cluster: Option<Arc<str>>,
    /// Our address towards the endpoint.
    pub upstream_local_address: Option<SocketAddr>,
    /// What the client dialled.
    pub downstream_local_address: SocketAddr,
    /// The client.
    pub downstream_remote_address: SocketAddr,
    /// Why the endpoint could not be reached.
    pub upstream_transport_failure_reason: Option<String>,
    /// The client's pod.
    pub source_workload: Option<Arc<Workload>>,
    /// Who the client is: as the kernel vouches, or as it proved.
    pub source_principal: Option<Arc<SpiffeId>>,
    /// The Service that was dialled.
    pub destination_service: Option<Arc<Service>>,
    /// The pod that answered.
    pub destination_workload: Option<Arc<Workload>>,
    /// Whose fault it was that it did not end well: `client`, `backend` or `waypoint`.
    pub blame: Option<&'static str>,
    /// The waypoint that took the traffic.
    pub waypoint: Option<Arc<str>>,
}

impl Entry {
    /// An entry of which only the connection is known.
    pub fn new(start: SystemTime, remote: SocketAddr, local: SocketAddr) -> Self {
        Self {
            start,
            route_name: None,
            method: None,
            path: None,
            protocol: None,
            response_code: 0,
            response_flags: None,
            response_code_details: None,
            connection_termination_details: None,
            bytes_received: 0,
            bytes_sent: 0,
            duration: Duration::ZERO,
            upstream_service_time: None,
            x_forwarded_for: None,
            user_agent: None,
            request_id: None,
            authority: None,
            upstream_host: None,
            upstream_cluster: None,
            upstream_local_address: None,
            downstream_local_address: local,
            downstream_remote_address: remote,
            upstream_transport_failure_reason: None,
            source_workload: None,
            source_principal: None,
            destination_service: None,
            destination_workload: None,
            blame: None,
            waypoint: None,
        }
    }

    /// Takes what is known, and leaves the connection alone.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let (remote, local) = (self.downstream_remote_address, self.downstream_local_address);
        let rest = Self::new(self.start, remote, local);
        std::mem::replace(self, rest)
    }

    /// Appends the entry as one line of JSON, by Istio's names.
    pub(super) fn write_line(&self, output: &mut Vec<u8>) {
        let mut line = Line::new(output);
        line.shown("start_time", Some(Timestamp(self.start)));
        line.text("route_name", self.route_name.as_ref());
        line.text("method", self.method.as_ref());
        line.text("path", self.path.as_ref().map(PathAndQuery::as_str));
        line.text("protocol", self.protocol);
        line.number("response_code", Some(self.response_code.into()));
        line.text("response_flags", self.response_flags);
        line.text("response_code_details", self.response_code_details.as_ref());
        let termination = self.connection_termination_details.as_ref();
        line.text("connection_termination_details", termination);
        line.number("bytes_received", Some(self.bytes_received));
        line.number("bytes_sent", Some(self.bytes_sent));
        line.number("duration", Some(millis(self.duration)));
        line.number("upstream_service_time", self.upstream_service_time.map(millis));
        line.bytes("x_forwarded_for", self.x_forwarded_for.as_ref());
        line.bytes("user_agent", self.user_agent.as_ref());
        line.bytes("request_id", self.request_id.as_ref());
        line.text("authority", self.authority.as_ref());
        self.write_places(&mut line);
        line.end();
    }

    /// Appends between whom it was.
    fn write_places(&self, line: &mut Line<'_>) {
        line.shown("upstream_host", self.upstream_host);
        line.text("upstream_cluster", self.upstream_cluster.as_ref());
        line.shown("upstream_local_address", self.upstream_local_address);
        line.shown("downstream_local_address", Some(self.downstream_local_address));
        line.shown("downstream_remote_address", Some(self.downstream_remote_address));
        line.text("requested_server_name", None::<&str>);
        let failure = self.upstream_transport_failure_reason.as_ref();
        line.text("upstream_transport_failure_reason", failure);
        line.shown("source_workload", self.source_workload.as_ref().map(|pod| &pod.name));
        line.shown("source_principal", self.source_principal.as_ref());
        line.shown("destination_service", self.destination_service.as_ref().map(|to| &to.name));
        line.shown("destination_workload", self.destination_workload.as_ref().map(|to| &to.name));
        line.text("blame", self.blame);
        line.text("waypoint", self.waypoint.as_ref());
    }
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
