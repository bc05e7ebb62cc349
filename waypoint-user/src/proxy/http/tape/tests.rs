use super::*;

/// Bytes that so many pieces take.
fn memory(pieces: usize) -> usize {
    pieces * size_of::<Piece>()
}

#[test]
fn pieces_count_with_what_keeps_them() {
    let byte = || Piece::Data(Bytes::from_static(b"x"));
    let mut kept = Kept { pieces: Vec::new(), bytes: 0, whole: true };
    let mut pieces = 0;
    while kept.whole {
        pieces = kept.pieces.len();
        kept.push(byte());
    }
    assert!(memory(pieces) <= REPLAY_BYTES_MAX, "{pieces} pieces are kept");
    let queue = Queue::default();
    while queue.state.get() == State::Open {
        pieces = queue.pieces.borrow().len();
        queue.push(byte());
    }
    assert!(memory(pieces) <= MIRROR_BYTES_MAX, "{pieces} pieces wait");
}

#[test]
fn trailers_count() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-much", "x".repeat(REPLAY_BYTES_MAX).parse().unwrap());
    let mut kept = Kept { pieces: Vec::new(), bytes: 0, whole: true };
    kept.push(Piece::Trailers(trailers));
    assert!(!kept.whole && kept.pieces.is_empty());
}

#[test]
fn what_a_mirror_took_counts_no_more() {
    let queue = Rc::new(Queue::default());
    let mut copy = Copy { queue: Rc::clone(&queue), left: None };
    queue.push(Piece::Data(Bytes::from_static(b"hello")));
    assert!(queue.bytes.get() > 0);
    let taken = copy.poll_frame(&mut Context::from_waker(Waker::noop()));
    assert!(taken.is_ready());
    assert_eq!(queue.bytes.get(), 0);
}
