//! Samples of noteworthy packets, as the programs tell of them.
//!
//! They are examples for a person who looks; the counters are exact.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aya::maps::{MapData, RingBuf};
use tokio::time::interval;
use waypoint_common::{counter::Reason, event::Event};

use crate::telemetry::metrics::Registry;

/// How many events were read, by reason; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Read(Arc<[AtomicU64]>);

impl Read {
    /// Nothing was read yet; exports the counts.
    pub(super) fn export(registry: &Registry) -> Self {
        let counts = Self(
            Reason::ALL.iter().map(|_| AtomicU64::new(0)).chain([AtomicU64::new(0)]).collect(),
        );
        let exported = counts.clone();
        registry.counter_source(
            "waypoint_kernel_events_total",
            "Sampled events of the eBPF programs that were read, by what they tell of.",
            "reason",
            move || exported.all(),
        );
        counts
    }

    fn count(&self, reason: Option<Reason>) {
        let index = reason.map_or(Reason::ALL.len(), |reason| reason as usize);
        if let Some(count) = self.0.get(index) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn all(&self) -> Vec<(String, u64)> {
        let names = Reason::ALL.iter().map(|reason| reason.name()).chain([UNDECODABLE]);
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        names.map(str::to_owned).zip(counts).collect()
    }
}

/// Logs and counts events for as long as it is polled. The programs make few enough that the ring
/// buffer does not fill up between two looks; if it does, they drop events and count `event_lost`.
pub(super) async fn follow(mut ring: RingBuf<MapData>, read: Read) {
    let mut clock = interval(PERIOD);
    loop {
        clock.tick().await;
        while let Some(record) = ring.next() {
            let event = Event::read(&record);
            read.count(event.and_then(|event| Reason::from_index(event.reason)));
            if let Some(event) = event {
                log(&event);
            }
        }
    }
}

fn log(event: &Event) {
    let end = |address, port: u16| SocketAddr::new(IpAddr::from(address), u16::from_be(port));
    tracing::debug!(
        reason = Reason::from_index(event.reason).map_or("unknown", Reason::name),
        source = %end(event.source, event.source_port),
        destination = %end(event.destination, event.destination_port),
        ifindex = event.ifindex,
        slot = event.slot,
        "packet",
    );
}

/// Of another size or with an unknown reason, as another build's programs may write.
const UNDECODABLE: &str = "undecodable";
const PERIOD: Duration = Duration::from_millis(100);
