//! What a client says that it takes.

use http::StatusCode;

use super::*;
use crate::http2::frame::HEADER_TABLE_SIZE;

fn remembers(sizes: &[u32]) -> BytesMut {
    let mut bytes = BytesMut::new();
    let settings: Vec<_> = sizes.iter().map(|size| (HEADER_TABLE_SIZE, *size)).collect();
    put_settings(&settings, &mut bytes);
    bytes
}

/// The block of a response.
fn response(bench: &mut Bench, id: u32) -> Bytes {
    let ask = bench.ask(id, "/", true);
    bench.feed(&ask);
    let reply = &mut bench.accepted.last_mut().unwrap().reply;
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-a"), 1.into())]);
    reply.respond(StatusCode::OK, &headers, true).unwrap();
    bench.sent().pop().unwrap().1
}

#[test]
fn a_client_that_forgets_all_fields_for_a_moment_is_not_told_of_them_any_more() {
    let mut bench = Bench::new();
    let lens = [1, 3, 5].map(|id| response(&mut bench, id).len());
    assert_eq!(lens[2], 2, "the field has an index");
    bench.feed(&remembers(&[0, 4096]));
    let block = response(&mut bench, 7);
    assert_eq!(block[..4], [0x20, 0x3f, 0xe1, 0x1f]);
    assert!(block.len() > 4 + 2);
    // What is said once, and as it was, changes nothing.
    bench.feed(&remembers(&[4096]));
    let lens = [9, 11, 13].map(|id| response(&mut bench, id).len());
    assert_eq!(lens[2], 2);
}
