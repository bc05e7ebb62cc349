//! One line of the access log.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::{Map, Value};

use crate::mesh::spiffe::SpiffeId;

use super::timestamp::rfc3339;

/// What is logged of a request or of a TCP connection.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it began.
    pub start: SystemTime,
    /// The rule that routed it.
    pub route_name: Option<String>,
    /// The method of a request.
    pub method: Option<String>,
    /// Path and query, as the client sent them.
    pub path: Option<String>,
    /// `HTTP/1.1`, `HTTP/2`; nothing for TCP.
    pub protocol: Option<&'static str>,
    /// The status; zero when no response was begun, and for TCP.
    pub response_code: u16,
    /// The response flag, if it did not end well.
    pub response_flags: Option<&'static str>,
    /// Why the response is what it is.
    pub response_code_details: Option<String>,
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
    pub x_forwarded_for: Option<String>,
    /// `user-agent`.
    pub user_agent: Option<String>,
    /// `x-request-id`, as it was sent on.
    pub request_id: Option<String>,
    /// The authority that the client asked for.
    pub authority: Option<String>,
    /// The endpoint.
    pub upstream_host: Option<SocketAddr>,
    /// The Service behind the rule, as Istio names clusters.
    pub upstream_cluster: Option<String>,
    /// Our address towards the endpoint.
    pub upstream_local_address: Option<SocketAddr>,
    /// What the client dialled.
    pub downstream_local_address: SocketAddr,
    /// The client.
    pub downstream_remote_address: SocketAddr,
    /// Why the endpoint could not be reached.
    pub upstream_transport_failure_reason: Option<String>,
    /// The client's pod.
    pub source_workload: Option<String>,
    /// Who the client is: as the kernel vouches, or as it proved.
    pub source_principal: Option<Arc<SpiffeId>>,
    /// The Service that was dialled.
    pub destination_service: Option<String>,
    /// The pod that answered.
    pub destination_workload: Option<String>,
    /// Whose fault it was that it did not end well: `client`, `backend` or `waypoint`.
    pub blame: Option<&'static str>,
    /// The waypoint that took the traffic.
    pub waypoint: Option<String>,
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

    /// Appends the entry as one line of JSON.
    pub(super) fn write_line(&self, output: &mut Vec<u8>) {
        let line = Value::Object(self.fields());
        // Writing JSON into memory has nothing that could go wrong.
        let _ = serde_json::to_writer(&mut *output, &line);
        output.push(b'\n');
    }

    /// The fields by Istio's names.
    fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("start_time", rfc3339(self.start).into());
        put("route_name", text(self.route_name.as_ref()));
        put("method", text(self.method.as_ref()));
        put("path", text(self.path.as_ref()));
        put("protocol", text(self.protocol));
        put("response_code", self.response_code.into());
        put("response_flags", text(self.response_flags));
        put("response_code_details", text(self.response_code_details.as_ref()));
        let termination = self.connection_termination_details.as_ref();
        put("connection_termination_details", text(termination));
        put("bytes_received", self.bytes_received.into());
        put("bytes_sent", self.bytes_sent.into());
        put("duration", millis(self.duration));
        put("upstream_service_time", self.upstream_service_time.map_or_else(empty, millis));
        put("x_forwarded_for", text(self.x_forwarded_for.as_ref()));
        put("user_agent", text(self.user_agent.as_ref()));
        put("request_id", text(self.request_id.as_ref()));
        put("authority", text(self.authority.as_ref()));
        put("upstream_host", text(self.upstream_host));
        put("upstream_cluster", text(self.upstream_cluster.as_ref()));
        put("upstream_local_address", text(self.upstream_local_address));
        put("downstream_local_address", text(Some(self.downstream_local_address)));
        put("downstream_remote_address", text(Some(self.downstream_remote_address)));
        put("requested_server_name", empty());
        let failure = self.upstream_transport_failure_reason.as_ref();
        put("upstream_transport_failure_reason", text(failure));
        put("source_workload", text(self.source_workload.as_ref()));
        put("source_principal", text(self.source_principal.as_ref()));
        put("destination_service", text(self.destination_service.as_ref()));
        put("destination_workload", text(self.destination_workload.as_ref()));
        put("blame", text(self.blame));
        put("waypoint", text(self.waypoint.as_ref()));
        fields
    }
}

/// A text, or the sign for none.
pub(super) fn text(value: Option<impl ToString>) -> Value {
    let text = value.map(|value| value.to_string()).filter(|text| !text.is_empty());
    text.map_or_else(empty, Value::String)
}

/// The sign for nothing.
fn empty() -> Value {
    Value::String("-".to_owned())
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> Value {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).into()
}
