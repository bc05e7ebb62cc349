//! One line for a connection that a node carried for one of its pods.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use super::{entry::millis, line::Line, timestamp::Timestamp};

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
        let (source, destination) = (&self.source, &self.destination);
        let mut line = Line::new(output);
        line.shown("start_time", Some(Timestamp(self.start)));
        let outcome = if self.opened { "connection complete" } else { "connection failed" };
        line.text("message", Some(outcome));
        line.text("direction", Some(self.direction.as_str()));
        line.shown("src.addr", Some(source.address));
        line.text("src.workload", source.pod());
        line.text("src.namespace", source.namespace());
        line.text("src.identity", source.identity.as_ref());
        line.shown("dst.addr", Some(destination.address));
        line.shown("dst.hbone_addr", self.hbone_address);
        line.text("dst.service", self.service.as_ref());
        line.text("dst.workload", destination.pod());
        line.text("dst.namespace", destination.namespace());
        line.text("dst.identity", destination.identity.as_ref());
        line.number("bytes_sent", Some(self.bytes_sent));
        line.number("bytes_recv", Some(self.bytes_received));
        line.number("duration", Some(millis(self.duration)));
        line.text("error", self.error.as_ref());
        line.text("response_flags", self.response_flags);
        line.text("waypoint", self.waypoint.as_ref());
        line.text("hop", self.hop);
        line.text("client.identity", self.client.as_ref());
        line.end();
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
