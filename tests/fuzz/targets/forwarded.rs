//! The field `forwarded`: what is read is written as the same, with an address and a host name that
//! are valid.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waypoint_user::hbone::{Authority, Forwarded};

fuzz_target!(|text: &str| {
    let Some(forwarded) = Forwarded::parse(text) else { return };
    assert_eq!(forwarded.client.ip(), forwarded.client.ip().to_canonical());
    if let Some(host) = &forwarded.host {
        let authority = Authority::parse(&format!("{host}:80"));
        assert_eq!(authority, Some(Authority::Host(host.clone(), 80)));
    }
    assert_eq!(Forwarded::parse(&forwarded.to_string()), Some(forwarded));
});
