//! Samples of noteworthy packets, as the programs tell of them.
//!
//! They are examples for a person who looks; the counters are exact.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use aya::maps::{MapData, RingBuf};
use tokio::time::interval;
use waypoint_common::{counter::Reason, event::Event};

/// Logs events for as long as it is polled. The programs make few enough that the ring buffer does
/// not fill up between two looks; if it does, they drop events.
pub(super) async fn follow(mut ring: RingBuf<MapData>) {
    let mut clock = interval(PERIOD);
    loop {
        clock.tick().await;
        while let Some(record) = ring.next() {
            if let Some(event) = Event::read(&record) {
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

const PERIOD: Duration = Duration::from_millis(100);
