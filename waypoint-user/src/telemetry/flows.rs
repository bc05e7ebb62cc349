//! Connections of pods, shown as they happen to whoever looks.
//!
//! It keeps none: who does not look sees nothing, and who looks too slowly is told how much was
//! missed.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::{Map, Value};
use tokio::sync::broadcast::{self, error::RecvError};

use super::{access::timestamp::Timestamp, metrics::Registry};
use crate::mesh::{flow::Stage, object::ObjectName};

/// Where connections are told and heard; clones share it.
#[derive(Clone, Debug)]
pub struct Hub(broadcast::Sender<Arc<Observed>>);

/// A connection, described.
#[derive(Clone, Debug)]
pub struct Observed {
    /// When it was told.
    pub time: SystemTime,
    /// Whether it was established or has ended.
    pub stage: Stage,
    /// Whether the pod that was watched opened it.
    pub initiated: bool,
    /// The client.
    pub source: End,
    /// The server, as the client dialled it or as it is.
    pub destination: End,
    /// Which way it went.
    pub path: Path,
    /// How long it was open.
    pub duration: Duration,
    /// Bytes that the watched pod sent.
    pub sent: u64,
    /// Bytes that it received.
    pub received: u64,
    /// Smoothed round-trip time.
    pub round_trip: Duration,
    /// Segments that were sent again.
    pub retransmissions: u32,
}

/// One end.
#[derive(Clone, Debug)]
pub struct End {
    /// Its address.
    pub address: SocketAddr,
    /// The pod that has it.
    pub pod: Option<ObjectName>,
    /// The Service that has it.
    pub service: Option<ObjectName>,
}

/// Which way a connection went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Path {
    /// Straight to its destination.
    Direct,
    /// Through a waypoint.
    Waypoint(String),
    /// By HBONE from node to node, without a waypoint.
    Tunnel,
    /// From a waypoint to its endpoint.
    FromWaypoint,
    /// To a pod that has a waypoint, but not from it.
    Bypass(String),
}

/// Which connections to show.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// With an end in this namespace.
    pub namespace: Option<String>,
    /// With this pod as an end.
    pub pod: Option<String>,
    /// Addressed to this Service.
    pub service: Option<String>,
}

impl Hub {
    /// Nobody looks yet.
    pub fn new() -> Self {
        Self(broadcast::channel(MISSED_MAX).0)
    }

    /// Exports how many look.
    pub fn export(&self, registry: &Registry) {
        let hub = self.clone();
        registry.gauge_source(
            "waypoint_flow_listeners",
            "Who looks at connections as they happen.",
            "page",
            move || vec![("flows".to_owned(), hub.0.receiver_count() as u64)],
        );
    }

    /// Whether anybody looks.
    pub fn is_watched(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Shows a connection.
    pub fn tell(&self, observed: Observed) {
        // Without a listener there is nobody to tell.
        let _ = self.0.send(Arc::new(observed));
    }

    /// Looks, from now on.
    pub fn listen(&self, filter: Filter) -> Listener {
        Listener { receiver: self.0.subscribe(), filter }
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

/// Somebody who looks.
#[derive(Debug)]
pub struct Listener {
    receiver: broadcast::Receiver<Arc<Observed>>,
    filter: Filter,
}

impl Listener {
    /// The next line of JSON; `None` when nothing more will come.
    pub async fn line(&mut self) -> Option<String> {
        loop {
            match self.receiver.recv().await {
                Ok(observed) if self.filter.matches(&observed) => return Some(observed.line()),
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    return Some(format!("{{\"missed\":{missed}}}\n"));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

impl Filter {
    /// Reads `namespace=`, `pod=` and `service=` from a query; a pod or service may be `NS/NAME`.
    pub fn parse(query: &str) -> Self {
        let value = |key: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let mut found = pairs.filter(|(name, value)| *name == key && !value.is_empty());
            found.next().map(|(_, value)| value.replace("%2F", "/"))
        };
        Self { namespace: value("namespace"), pod: value("pod"), service: value("service") }
    }

    fn matches(&self, observed: &Observed) -> bool {
        let ends = [&observed.source, &observed.destination];
        let names = |end: &&End| end.pod.iter().chain(&end.service).cloned().collect::<Vec<_>>();
        let named =
            |wanted: &str, name: &ObjectName| name.name == wanted || name.to_string() == wanted;
        let by_namespace = self
            .namespace
            .as_ref()
            .is_none_or(|wanted| ends.iter().flat_map(names).any(|name| name.namespace == *wanted));
        let by_pod = self.pod.as_ref().is_none_or(|wanted| {
            ends.iter().filter_map(|end| end.pod.as_ref()).any(|name| named(wanted, name))
        });
        let by_service = self.service.as_ref().is_none_or(|wanted| {
            observed.destination.service.iter().any(|name| named(wanted, name))
        });
        by_namespace && by_pod && by_service
    }
}

impl Observed {
    /// One line of JSON.
    fn line(&self) -> String {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        let stage = if self.stage == Stage::Opened { "opened" } else { "closed" };
        put("time", Timestamp(self.time).to_string().into());
        put("event", stage.into());
        put("reporter", if self.initiated { "source" } else { "destination" }.into());
        put("source", self.source.fields());
        put("destination", self.destination.fields());
        put("path", self.path.word().into());
        put("waypoint", self.path.waypoint().map_or(Value::Null, Value::from));
        put("duration_us", whole(self.duration));
        put("bytes_sent", self.sent.into());
        put("bytes_received", self.received.into());
        put("rtt_us", whole(self.round_trip));
        put("retransmissions", self.retransmissions.into());
        format!("{}\n", Value::Object(fields))
    }
}

impl End {
    fn fields(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("address".to_owned(), self.address.to_string().into());
        let named = [("pod", &self.pod), ("service", &self.service)];
        for (key, name) in named.into_iter().filter_map(|(key, name)| Some((key, name.as_ref()?))) {
            fields.insert(key.to_owned(), name.to_string().into());
        }
        Value::Object(fields)
    }
}

impl Path {
    const fn word(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Waypoint(_) => "waypoint",
            Self::Tunnel => "tunnel",
            Self::FromWaypoint => "from-waypoint",
            Self::Bypass(_) => "bypass",
        }
    }

    fn waypoint(&self) -> Option<&str> {
        match self {
            Self::Waypoint(waypoint) | Self::Bypass(waypoint) => Some(waypoint),
            Self::Direct | Self::Tunnel | Self::FromWaypoint => None,
        }
    }
}

/// Whole microseconds.
fn whole(duration: Duration) -> Value {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).into()
}

/// Why a process without a data path shows none.
pub const NOT_HERE: &str = "only agents see connections of pods: ask one, with --node";
/// Why a process with one shows none.
pub const NOT_WATCHED: &str =
    "connections of pods are not watched: start the agent with --cgroup and their cgroup";
/// Connections that a listener may be behind; it is told how many more it missed.
const MISSED_MAX: usize = 4096;

#[cfg(test)]
mod tests;
