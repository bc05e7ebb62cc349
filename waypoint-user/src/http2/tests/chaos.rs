//! Frames that nobody chose.

use http::StatusCode;
use proptest::prelude::*;

use super::*;
use crate::http2::{Question, limits::CONTROL_BYTES_MAX};

/// A frame: kind, flags, stream, payload.
type Loose = (u8, u8, u32, Vec<u8>);

fn loose() -> impl Strategy<Value = Vec<Loose>> {
    let block = prop_oneof![
        Just(b"\x82\x86\x84\x01\x04shop".to_vec()),
        Just(b"\x83\x86\x84\x01\x04shop\x0f\x0d\x015".to_vec()),
        Just(b"\x88".to_vec()),
        Just(b"\x00\x03x-a\x01b".to_vec()),
    ];
    let number = prop_oneof![0..10u32, Just(u32::MAX), any::<u32>()];
    let payload = prop_oneof![
        block,
        number.prop_map(|number| number.to_be_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..60),
        (0..20_000usize).prop_map(|len| vec![0; len]),
    ];
    let flags = prop_oneof![Just(0), Just(4), Just(5), Just(1), any::<u8>()];
    let frame = (0..11u8, flags, 0..12u32, payload);
    proptest::collection::vec(frame, 0..60)
}

fn bytes_of(frames: &[Loose]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|(kind, flags, id, payload)| frame(*kind, *flags, *id, payload))
        .collect()
}

proptest! {
    #[test]
    fn a_server_holds_no_stream_that_nobody_holds(
        frames in loose(),
        cut in 1..5000usize,
        choices in proptest::collection::vec(0..5u8, 60),
    ) {
        let mut bench = Bench::new();
        let mut choices = choices.into_iter().cycle();
        for piece in bytes_of(&frames).chunks(cut) {
            bench.feed(piece);
            let which = bench.accepted.len().saturating_sub(1);
            match choices.next().filter(|_| !bench.accepted.is_empty()) {
                Some(0) => drop(bench.read(which)),
                Some(1) => drop(bench.accepted.swap_remove(0)),
                Some(2) => {
                    let reply = &mut bench.accepted[which].reply;
                    let _late = reply.respond(StatusCode::OK, &HeaderMap::new(), false);
                    let _late = reply.send(&mut Bytes::from(vec![0; 9000]), true);
                }
                Some(3) => {
                    let Accepted { body, .. } = bench.accepted.swap_remove(which);
                    drop(body);
                }
                _ => {}
            }
            bench.sent();
        }
        bench.accepted.clear();
        bench.sent();
        prop_assert_eq!(bench.connection.streams(), 0);
        let state = bench.connection.state.borrow();
        prop_assert_eq!(state.open, 0);
        prop_assert!(state.output.waiting() <= CONTROL_BYTES_MAX + LIMITS.send_bytes_max);
    }

    #[test]
    fn a_client_holds_no_stream_that_nobody_holds(frames in loose(), cut in 1..5000usize) {
        let script = Script::default();
        let (mut connection, sender) = Connection::client(script.clone(), LIMITS);
        let mut bytes = BytesMut::new();
        put_settings(&[], &mut bytes);
        bytes.extend(bytes_of(&frames));
        let headers = HeaderMap::new();
        let question = Question {
            method: &Method::POST,
            scheme: Some("http"),
            authority: "shop",
            path: Some("/"),
            protocol: None,
            headers: &headers,
        };
        let mut asked: Vec<_> = (0..4).filter_map(|_| sender.ask(&question, false).ok()).collect();
        for piece in bytes.chunks(cut) {
            script.input.borrow_mut().push_back(Bytes::copy_from_slice(piece));
            let _pending = connection.poll_drive(&mut context());
            for (sending, receiving) in &mut asked {
                let _late = sending.send(&mut Bytes::from_static(&[0; 100]), false);
                let _pending = receiving.poll_response(&mut context());
                let _pending = receiving.poll_piece(&mut context());
            }
        }
        asked.clear();
        prop_assert_eq!((sender.streams(), connection.streams()), (0, 0));
    }
}
