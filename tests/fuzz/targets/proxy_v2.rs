//! PROXY protocol: how much is needed grows until it is there, bytes behind the header change
//! nothing, and what is read is written as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waypoint_user::hbone::proxy_protocol::{Begin, parse};

fuzz_target!(|bytes: &[u8]| {
    match parse(bytes) {
        Begin::Short(needed) => assert!(needed > bytes.len() && needed <= 16 + 4096),
        Begin::Other => {}
        Begin::Header(length, told) => {
            assert!((16..=bytes.len()).contains(&length));
            assert_eq!(parse(&bytes[..length]), Begin::Header(length, told.clone()));
            assert!(matches!(parse(&bytes[..length - 1]), Begin::Short(_)));
            if let Some(told) = told {
                let header = told.header();
                assert_eq!(parse(&header), Begin::Header(header.len(), Some(told)));
            }
        }
    }
});
