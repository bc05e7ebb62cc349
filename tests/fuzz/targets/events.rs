//! Records of the `events` ring buffer: one of the right size is read, whatever it holds, and no
//! other.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use waypoint_common::{counter::Reason, event::Event};

fuzz_target!(|record: &[u8]| {
    let event = Event::read(record);
    assert_eq!(event.is_some(), record.len() == size_of::<Event>());
    let Some(event) = event else { return };
    let reason = event.reason.to_ne_bytes();
    assert!(record.starts_with(&[&event.time_ns.to_ne_bytes()[..], &reason].concat()));
    assert!(record.ends_with(&event.reserve.to_ne_bytes()));
    if let Some(reason) = Reason::from_index(event.reason) {
        assert_eq!(reason as u32, event.reason);
    }
    for address in [event.source, event.destination] {
        assert_eq!(IpAddr::from(address).to_canonical(), IpAddr::from(address));
    }
});
