//! One line for a connection that a node carried for one of its pods.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use serde_json::{Map, Value};

use super::{
    entry::{millis, text},
    timestamp::rfc3339,
};

/// What is logged of a connection that was carried, or was not; the fields are ztunnel's
/// (`src/proxy/metrics.rs`), with a few of ours at the end.
#[derive(Clone, Debug)]
pub struct Flow {
    /// When it began.
    pub start: SystemTime,
    /// Which side of it this node is.
    pub direction: Direction,
    /// The client.
    pub source: End,
    /// What was asked for, and who got it.
    pub destination: End,
    /// Where the connection below HBONE went.
    pub hbone_address: Option<SocketAddr>,
    /// The Service that was addressed.
    pub service: Option<String>,
    /// Bytes to the client.
    pub bytes_sent: u64,
    /// Bytes from the client.
    pub bytes_received: u64,
    /// From the first byte to the last.
    pub duration: Duration,
    /// Whether it came about.
    pub opened: bool,
    /// Why it did not, or why it ended.
    pub error: Option<String>,
    /// The response flag that goes with the error.
    pub response_flags: Option<&'static str>,
    /// The waypoint that it was carried to.
    pub waypoint: Option<String>,
    /// By what it was carried: `hbone`, `unix`, `tcp`.
    pub hop: Option<&'static str>,
    /// In whose name the peer asked, if it is one of the destination's waypoints.
    pub client: Option<String>,
}

/// One end of a connection.
#[derive(Clone, Debug)]
pub struct End {
    /// Its address.
    pub address: SocketAddr,
    /// Its pod's name and namespace.
    pub workload: Option<(String, String)>,
    /// Who it proved to be, or was proven to.
    pub identity: Option<String>,
}

/// Which side of a connection a node is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// The destination's.
    Inbound,
    /// The client's.
    Outbound,
}

impl Flow {
    /// A line of which only the ends' addresses are known.
    pub fn new(
        start: SystemTime,
        direction: Direction,
        source: SocketAddr,
        destination: SocketAddr,
    ) -> Self {
        Self {
            start,
            direction,
            source: End::new(source),
            destination: End::new(destination),
            hbone_address: None,
            service: None,
            bytes_sent: 0,
            bytes_received: 0,
            duration: Duration::ZERO,
            opened: false,
            error: None,
            response_flags: None,
            waypoint: None,
            hop: None,
            client: None,
        }
    }

    /// Appends it as one line of JSON.
    pub(super) fn write_line(&self, output: &mut Vec<u8>) {
        let line = Value::Object(self.fields());
        // Writing JSON into memory has nothing that could go wrong.
        let _ = serde_json::to_writer(&mut *output, &line);
        output.push(b'\n');
    }

    fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        let (source, destination) = (&self.source, &self.destination);
        put("start_time", rfc3339(self.start).into());
        let outcome = if self.opened { "connection complete" } else { "connection failed" };
        put("message", outcome.into());
        put("direction", self.direction.as_str().into());
        put("src.addr", text(Some(source.address)));
        put("src.workload", text(source.pod()));
        put("src.namespace", text(source.namespace()));
        put("src.identity", text(source.identity.as_ref()));
        put("dst.addr", text(Some(destination.address)));
        put("dst.hbone_addr", text(self.hbone_address));
        put("dst.service", text(self.service.as_ref()));
        put("dst.workload", text(destination.pod()));
        put("dst.namespace", text(destination.namespace()));
        put("dst.identity", text(destination.identity.as_ref()));
        put("bytes_sent", self.bytes_sent.into());
        put("bytes_recv", self.bytes_received.into());
        put("duration", millis(self.duration));
        put("error", text(self.error.as_ref()));
        put("response_flags", text(self.response_flags));
        put("waypoint", text(self.waypoint.as_ref()));
        put("hop", text(self.hop));
        put("client.identity", text(self.client.as_ref()));
        fields
    }
}

impl End {
    /// An end of which only the address is known.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, workload: None, identity: None }
    }

    fn pod(&self) -> Option<&String> {
        self.workload.as_ref().map(|(pod, _)| pod)
    }

    fn namespace(&self) -> Option<&String> {
        self.workload.as_ref().map(|(_, namespace)| namespace)
    }
}

impl Direction {
    /// The field's value.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}
