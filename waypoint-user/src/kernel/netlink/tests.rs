use netlink_packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkMessage},
};
use proptest::prelude::*;

use super::{RouteSocket, parse};

#[test]
fn the_loopback_link_is_found_by_number_and_by_name() {
    let mut socket = RouteSocket::open().unwrap();
    let by_number = socket.link(1).unwrap().unwrap();
    let by_name = socket.link_named("lo").unwrap().unwrap();
    assert_eq!((by_number.name.as_str(), by_name.index), ("lo", 1));
    assert!(socket.links().unwrap().iter().any(|link| link.name == "lo"));
}

#[test]
fn an_absent_link_is_none_and_not_an_error() {
    let mut socket = RouteSocket::open().unwrap();
    assert_eq!(socket.link_named("no-such-link").unwrap(), None);
    assert_eq!(socket.link(u32::MAX >> 1).unwrap(), None);
}

#[test]
fn a_datagram_is_split_into_its_messages() {
    let bytes = [framed("lo"), framed("a-longer-name")].concat();
    let messages = parse::<RouteNetlinkMessage>(&bytes).unwrap();
    assert_eq!(messages.len(), 2);
}

#[test]
fn a_datagram_cut_short_is_refused() {
    let bytes = framed("lo");
    let cut = bytes.get(..bytes.len() - 1).unwrap();
    assert!(parse::<RouteNetlinkMessage>(cut).is_none());
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = parse::<RouteNetlinkMessage>(&bytes);
    }
}

fn framed(name: &str) -> Vec<u8> {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(name.to_owned()));
    let payload = NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link));
    let mut message = NetlinkMessage::new(NetlinkHeader::default(), payload);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}
