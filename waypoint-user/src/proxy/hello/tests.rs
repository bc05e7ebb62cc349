use proptest::prelude::*;

use super::{sample::client_hello, *};

/// What is told of pieces, and of how many bytes.
fn told(pieces: &[&[u8]]) -> (Told, usize) {
    let (mut hello, mut fed) = (Hello::default(), 0);
    for piece in pieces {
        fed += piece.len();
        let told = hello.feed(piece);
        if told != Told::Unclear {
            return (told, fed);
        }
    }
    (Told::Unclear, fed)
}

fn named(name: &str) -> Told {
    Told::Name(name.to_owned())
}

#[test]
fn the_name_is_told_byte_by_byte_and_not_before_the_last() {
    let bytes = client_hello("reviews.example.com");
    let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(told(&pieces), (named("reviews.example.com"), bytes.len()));
}

#[test]
fn what_follows_a_hello_does_not_matter() {
    let mut bytes = client_hello("a.example.com");
    bytes.extend_from_slice(b"early data, or anything");
    assert_eq!(told(&[&bytes]).0, named("a.example.com"));
}

#[test]
fn who_asks_for_an_address_names_no_server() {
    assert_eq!(told(&[&client_hello("192.0.2.1")]).0, Told::Unnamed(Unnamed::Nameless));
}

#[test]
fn other_protocols_are_not_tls() {
    for bytes in [&b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.9\r\n", &[0; 64]] {
        assert_eq!(told(&[bytes]).0, Told::Unnamed(Unnamed::NotTls), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn however_it_is_cut_the_same_is_told(cuts in prop::collection::vec(1_usize..400, 0..20)) {
        let bytes = client_hello("cut.example.com");
        let (mut rest, mut pieces) = (bytes.as_slice(), Vec::new());
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(told(&pieces).0, named("cut.example.com"));
    }

    #[test]
    fn nothing_that_is_sent_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        told(&bytes.chunks(7).collect::<Vec<_>>());
    }

    #[test]
    fn a_hello_that_is_spoilt_makes_it_tell_something_or_wait(
        spoilt in prop::collection::vec((0_usize..300, any::<u8>()), 1..8),
    ) {
        let mut bytes = client_hello("spoilt.example.com");
        for (at, byte) in spoilt {
            if let Some(there) = bytes.get_mut(at) {
                *there = byte;
            }
        }
        told(&[&bytes]);
    }
}
