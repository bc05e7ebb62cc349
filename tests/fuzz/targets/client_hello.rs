//! First bytes of TLS clients: however they are cut, they ask for the same server, by a name of the
//! DNS. The first byte of the input says where it is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waypoint_user::proxy::server_name;

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let name = server_name([bytes]);
    let (first, rest) = bytes.split_at(bytes.len().min(usize::from(*cut)));
    assert_eq!(server_name([first, rest]), name, "cut at {}", first.len());
    assert_eq!(server_name(bytes.chunks(1)), name, "byte by byte");
    let Some(name) = name else { return };
    assert!((1..=253).contains(&name.len()), "{name:?}");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    assert!(name.bytes().all(plain), "{name:?}");
});
