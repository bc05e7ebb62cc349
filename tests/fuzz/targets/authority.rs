//! Targets of CONNECT: what is read is written as the same, and a plain address of the standard
//! library is read as itself.
#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use waypoint_user::hbone::Authority;

fuzz_target!(|text: &str| {
    let Some(authority) = Authority::parse(text) else {
        // What is refused is no address that anybody else would dial.
        let known = text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
        let is_zoned = text.contains('%');
        let port = text.rsplit(':').next().unwrap_or_default();
        assert!(known.is_none() || is_zoned || port.starts_with('0'), "{text}");
        return;
    };
    assert_ne!(authority.port(), 0);
    let written = authority.to_string();
    assert!(written.bytes().all(|byte| byte.is_ascii_graphic()));
    assert_eq!(Authority::parse(&written).as_ref(), Some(&authority));
    match authority {
        Authority::Address(address) => {
            let parsed: SocketAddr = text.parse().expect("an address");
            assert_eq!((parsed.ip().to_canonical(), parsed.port()), (address.ip(), address.port()));
            assert_eq!(address.ip(), address.ip().to_canonical());
        }
        Authority::Host(host, port) => {
            assert!(host.parse::<std::net::IpAddr>().is_err());
            assert!(text.eq_ignore_ascii_case(&format!("{host}:{port}")));
        }
    }
});
