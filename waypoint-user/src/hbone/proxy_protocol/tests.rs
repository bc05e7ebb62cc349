use proptest::prelude::*;

use super::*;

fn told() -> Told {
    Told {
        source: "10.244.1.7:51234".parse().unwrap(),
        destination: "10.96.0.9:80".parse().unwrap(),
        identity: Some("spiffe://cluster.local/ns/default/sa/curl".to_owned()),
    }
}

#[test]
fn the_header_is_as_haproxy_writes_it() {
    let header = told().header();
    assert_eq!(header[..12], *b"\r\n\r\n\0\r\nQUIT\n");
    assert_eq!(header[12..16], [0x21, 0x11, 0, 12 + 3 + 41]);
    assert_eq!(header[16..28], [10, 244, 1, 7, 10, 96, 0, 9, 0xC8, 0x22, 0, 80]);
    assert_eq!(header[28..31], [0xD0, 0, 41]);
    assert_eq!(header[31..], *b"spiffe://cluster.local/ns/default/sa/curl");
}

#[test]
fn a_header_is_read_when_all_of_it_is_there() {
    let mut bytes = told().header();
    let length = bytes.len();
    for end in 0..length {
        let Begin::Short(needed) = parse(&bytes[..end]) else { panic!("{end} bytes are enough") };
        assert!(needed > end && needed <= length);
    }
    bytes.extend(b"GET / HTTP/1.1");
    assert_eq!(parse(&bytes), Begin::Header(length, Some(told())));
}

#[test]
fn what_is_no_header_of_tcp_is_not_read() {
    let header = told().header();
    assert_eq!(parse(b"GET / HTTP/1.1"), Begin::Other);
    let with = |at: usize, byte: u8| {
        let mut bytes = header.clone();
        bytes[at] = byte;
        parse(&bytes)
    };
    // Another version or command, UDP, a length beyond bounds, a value beyond the header.
    for (at, byte) in [(12, 0x11), (12, 0x22), (13, 0x12), (14, 0xFF), (30, 42)] {
        assert_eq!(with(at, byte), Begin::Other, "{byte:#x} at {at}");
    }
    assert_eq!(with(12, 0x20), Begin::Header(header.len(), None));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        source: IpAddr,
        destination: IpAddr,
        ports: (u16, u16),
        identity in proptest::option::of("\\PC{1,60}"),
    ) {
        let told = Told {
            source: SocketAddr::new(source.to_canonical(), ports.0),
            destination: SocketAddr::new(destination.to_canonical(), ports.1),
            identity,
        };
        let header = told.header();
        prop_assert_eq!(parse(&header), Begin::Header(header.len(), Some(told)));
    }
}
