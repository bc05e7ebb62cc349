//! A client's body that is needed more than once: for another try, or for mirrors.
//!
//! It is read from the client once, at the pace of the endpoint that answers; what was read is kept
//! for another try, and handed to mirrors.
//!
//! **Invariant:** at most [`REPLAY_BYTES_MAX`] are kept for another try; a body that is longer is
//! sent once.
//! **Invariant:** nobody gets a body without its beginning, and only the last try gets the rest.
//! **Invariant:** a mirror never holds up a request: one that is behind by more than
//! [`MIRROR_BYTES_MAX`] is cut off.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use http::{HeaderMap, StatusCode};
use hyper::body::{Bytes, Frame, SizeHint};

use crate::proxy::{
    limits::{MIRROR_BYTES_MAX, REPLAY_BYTES_MAX},
    record::field_bytes,
};

use super::{
    body::Progress,
    client_body::{ClientBody, RequestBroken},
};

/// A client's body, and what of it is still needed.
pub(super) struct Tape {
    body: RefCell<ClientBody>,
    progress: Rc<Progress>,
    /// All of it, where that is known from the start.
    length: Option<u64>,
    ended: Cell<bool>,
    /// How many pieces the client sent.
    read: Cell<usize>,
    kept: RefCell<Kept>,
    copies: RefCell<Vec<Rc<Queue>>>,
    /// How many tries there were.
    tries: Cell<usize>,
    /// Whoever sends the last of them, where it waits.
    waits: Cell<Option<Waker>>,
}

/// What was read and is kept for another try.
struct Kept {
    pieces: Vec<Piece>,
    bytes: usize,
    /// Whether nothing was let go.
    whole: bool,
}

/// A piece of a body.
#[derive(Clone)]
enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl Piece {
    fn of(frame: &Frame<Bytes>) -> Option<Self> {
        let data = frame.data_ref().cloned().map(Self::Data);
        data.or_else(|| frame.trailers_ref().cloned().map(Self::Trailers))
    }

    fn into_frame(self) -> Frame<Bytes> {
        match self {
            Self::Data(bytes) => Frame::data(bytes),
            Self::Trailers(trailers) => Frame::trailers(trailers),
        }
    }

    /// The bytes of the body.
    fn len(&self) -> usize {
        match self {
            Self::Data(bytes) => bytes.len(),
            Self::Trailers(_) => 0,
        }
    }

    /// The bytes that it takes to keep it.
    fn memory(&self) -> usize {
        let held = match self {
            Self::Data(bytes) => bytes.len(),
            Self::Trailers(fields) => usize::try_from(field_bytes(fields)).unwrap_or(usize::MAX),
        };
        held.saturating_add(size_of::<Self>())
    }
}

impl Tape {
    /// A body that has something in it; `keeps` what is read of it for another try.
    pub(super) fn new(body: ClientBody, progress: Rc<Progress>, keeps: bool) -> Rc<Self> {
        Rc::new(Self {
            length: body.size_hint().exact(),
            body: RefCell::new(body),
            progress,
            ended: Cell::new(false),
            read: Cell::new(0),
            kept: RefCell::new(Kept { pieces: Vec::new(), bytes: 0, whole: keeps }),
            copies: RefCell::default(),
            tries: Cell::new(0),
            waits: Cell::default(),
        })
    }

    /// Whether the body can be had from its start.
    pub(super) fn is_whole(&self) -> bool {
        let untouched = self.read.get() == 0 && !self.ended.get();
        untouched || self.kept.borrow().whole
    }

    /// The body from its start; `None` when that was let go. Whoever got it before
    /// gets no more, and hears of it.
    pub(super) fn play(self: &Rc<Self>) -> Option<Play> {
        self.is_whole().then(|| {
            self.progress.ended.set(false);
            self.tries.set(self.tries.get() + 1);
            if let Some(waits) = self.waits.take() {
                waits.wake();
            }
            Play { tape: Rc::clone(self), number: self.tries.get(), next: 0, sent: 0 }
        })
    }

    /// A copy of what is read from now on.
    pub(super) fn copy(&self) -> Copy {
        let queue = Rc::new(Queue::default());
        self.copies.borrow_mut().push(Rc::clone(&queue));
        Copy { queue, left: self.length }
    }

    /// The next piece from the client.
    fn poll_read(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RequestBroken>>> {
        if self.ended.get() {
            return Poll::Ready(None);
        }
        let mut body = self.body.borrow_mut();
        let frame = match ready!(body.poll_frame(cx)) {
            Some(Ok(frame)) => Some(frame),
            Some(Err(cause)) => {
                self.progress.broke(&cause);
                self.tell(Queue::cut);
                return Poll::Ready(Some(Err(cause)));
            }
            None => None,
        };
        self.ended.set(frame.is_none() || body.is_end_stream());
        if let Some(piece) = frame.as_ref().and_then(Piece::of) {
            self.read.set(self.read.get() + 1);
            self.progress.advance(body.fresh(piece.len()));
            self.tell(|queue| queue.push(piece.clone()));
            self.kept.borrow_mut().push(piece);
        }
        if self.ended.get() {
            self.tell(Queue::end);
        }
        Poll::Ready(frame.map(Ok))
    }

    fn tell(&self, what: impl Fn(&Queue)) {
        self.copies.borrow().iter().for_each(|queue| what(queue));
    }
}

/// What nobody reads any more has no copies.
impl Drop for Tape {
    fn drop(&mut self) {
        self.tell(Queue::cut);
    }
}

impl Kept {
    fn push(&mut self, piece: Piece) {
        if !self.whole {
            return;
        }
        self.bytes = self.bytes.saturating_add(piece.memory());
        if self.bytes > REPLAY_BYTES_MAX {
            *self = Self { pieces: Vec::new(), bytes: 0, whole: false };
        } else {
            self.pieces.push(piece);
        }
    }
}

/// A body on its way to one endpoint.
pub(super) struct Play {
    tape: Rc<Tape>,
    /// Which try it is.
    number: usize,
    next: usize,
    sent: u64,
}

impl Play {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBroken>>> {
        if self.number != self.tape.tries.get() {
            return Poll::Ready(Some(Err(RequestBroken::CutOff)));
        }
        let kept = self.tape.kept.borrow().pieces.get(self.next).cloned();
        let frame = match kept {
            Some(piece) => Some(Ok(piece.into_frame())),
            // What it has to begin with was let go meanwhile.
            None if self.next < self.tape.read.get() => Some(Err(RequestBroken::CutOff)),
            None => match self.tape.poll_read(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    self.tape.waits.set(Some(cx.waker().clone()));
                    return Poll::Pending;
                }
            },
        };
        self.next += 1;
        if let Some(Ok(frame)) = &frame {
            self.sent += frame.data_ref().map_or(0, Bytes::len) as u64;
        }
        if frame.is_none() || self.is_end_stream() {
            self.tape.progress.ended.set(true);
        }
        Poll::Ready(frame)
    }

    /// Whether the client waits to be told to send it.
    pub(super) fn awaits_leave(&self) -> bool {
        self.tape.read.get() == 0 && self.tape.body.borrow().awaits_leave()
    }

    /// Tells the client what comes before its final response.
    pub(super) fn hint(&self, status: StatusCode, headers: &HeaderMap) {
        self.tape.body.borrow().hint(status, headers);
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.tape.ended.get() && self.next >= self.tape.kept.borrow().pieces.len()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        exact(self.tape.length.map(|length| length.saturating_sub(self.sent)))
    }
}

/// A copy of a body, for a mirror.
pub(super) struct Copy {
    queue: Rc<Queue>,
    left: Option<u64>,
}

/// What a mirror has not taken yet.
#[derive(Default)]
struct Queue {
    pieces: RefCell<VecDeque<Piece>>,
    bytes: Cell<usize>,
    state: Cell<State>,
    waits: Cell<Option<Waker>>,
}

/// Whether more comes.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum State {
    #[default]
    Open,
    Ended,
    Cut,
}

impl Queue {
    fn push(&self, piece: Piece) {
        if self.state.get() != State::Open {
            return;
        }
        self.bytes.set(self.bytes.get().saturating_add(piece.memory()));
        if self.bytes.get() > MIRROR_BYTES_MAX {
            return self.cut();
        }
        self.pieces.borrow_mut().push_back(piece);
        self.wake();
    }

    fn end(&self) {
        if self.state.get() == State::Open {
            self.state.set(State::Ended);
            self.wake();
        }
    }

    fn cut(&self) {
        if self.state.get() == State::Open {
            self.state.set(State::Cut);
            self.pieces.borrow_mut().clear();
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(waits) = self.waits.take() {
            waits.wake();
        }
    }
}

impl Copy {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBroken>>> {
        if let Some(piece) = self.queue.pieces.borrow_mut().pop_front() {
            self.queue.bytes.set(self.queue.bytes.get().saturating_sub(piece.memory()));
            self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
            return Poll::Ready(Some(Ok(piece.into_frame())));
        }
        match self.queue.state.get() {
            State::Ended => Poll::Ready(None),
            State::Cut => Poll::Ready(Some(Err(RequestBroken::CutOff))),
            State::Open => {
                self.queue.waits.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.queue.state.get() == State::Ended && self.queue.pieces.borrow().is_empty()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        exact(self.left)
    }
}

fn exact(bytes: Option<u64>) -> SizeHint {
    bytes.map_or_else(SizeHint::default, SizeHint::with_exact)
}

#[cfg(test)]
mod tests;
