//! One connection that we opened.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::task::noop_waker_ref;
use h2::client::{self, Builder, SendRequest};
use tokio::{
    task::AbortHandle,
    time::{Instant, timeout},
};

use super::Io;
use crate::{
    hbone::{
        Error, Settings,
        keep::{Advice, Flow, Keeper},
        limits::{
            CONNECTION_WINDOW_BYTES, ERROR_RESETS_MAX, FRAME_BYTES_MAX, FRAME_OVERHEAD_BYTES_MAX,
            HANDSHAKE_TIMEOUT, RESPONSE_HEADER_BYTES_MAX, SEND_BUFFER_BYTES, STREAM_WINDOW_BYTES,
            WINDOW_RATIO,
        },
    },
    telemetry::task,
};

/// One connection; it ends when the pool and its last stream let go of it.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Bytes>,
    pub(super) flow: Arc<Flow>,
    places: Arc<Places>,
    state: Rc<State>,
    driver: AbortHandle,
}

/// The places of a connection, from before it is there. They are counted by atomics because hyper
/// wants streams that could move to another thread.
#[derive(Default)]
pub(super) struct Places {
    taken: AtomicUsize,
    free_since: Mutex<Option<Instant>>,
}

impl Places {
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    fn free_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.free_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the driver of a connection knows.
struct State {
    /// Streams that the peer allows.
    allowed: Cell<usize>,
    /// Whether the peer has said so.
    settled: Cell<bool>,
    /// Those who wait for that.
    waiting: RefCell<Vec<Waker>>,
    /// Set when the connection is cut on purpose.
    cut: Cell<bool>,
}

impl State {
    fn settle(&self) {
        self.settled.set(true);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }
}

/// A place for one stream; it is free again when this is dropped.
pub(in crate::hbone) struct Lease(Arc<Places>);

impl Lease {
    /// Takes a place, whether or not there is room.
    pub(super) fn of(places: &Arc<Places>) -> Self {
        places.taken.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(places))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.0.taken.fetch_sub(1, Ordering::Relaxed) == 1 {
            *self.0.free_since() = Some(Instant::now());
        }
    }
}

impl Connection {
    /// Begins HTTP/2 on what was dialled.
    pub(super) async fn begin(
        io: Box<dyn Io>,
        settings: &Settings,
        places: Arc<Places>,
    ) -> Result<Self, Error> {
        let handshake = timeout(HANDSHAKE_TIMEOUT, builder().handshake(io)).await;
        let late = |_| Error::Http2("the peer did not begin in time".to_owned());
        let (sender, mut connection) = handshake.map_err(late)??;
        let keeper = Keeper::new(connection.ping_pong(), settings);
        let flow = keeper.flow();
        let state = Rc::new(State {
            allowed: Cell::new(settings.streams_max),
            settled: Cell::new(false),
            waiting: RefCell::default(),
            cut: Cell::new(false),
        });
        let driver = drive(connection, keeper, Rc::clone(&state), settings.streams_max);
        let driver = task::spawn_local("hbone connection", driver).abort_handle();
        Ok(Self { sender, flow, places, state, driver })
    }

    /// Takes a place, if there is one.
    pub(super) fn lease(&self) -> Option<Lease> {
        let has_room = self.places.taken() < self.state.allowed.get();
        (has_room && self.is_usable()).then(|| Lease::of(&self.places))
    }

    /// True where more places are taken than the peer allows.
    pub(super) fn is_overfull(&self) -> bool {
        self.places.taken() > self.state.allowed.get()
    }

    /// Waits until it is known how many streams the peer allows, or that it is gone.
    pub(super) async fn settled(&self) {
        poll_fn(|cx| {
            if self.state.settled.get() || self.driver.is_finished() {
                return Poll::Ready(());
            }
            self.state.waiting.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// True while streams can be opened: it is neither broken, nor did the peer say GOAWAY.
    pub(super) fn is_usable(&self) -> bool {
        let mut cx = Context::from_waker(noop_waker_ref());
        let is_ready = matches!(self.sender.clone().poll_ready(&mut cx), Poll::Ready(Ok(())));
        is_ready && !self.driver.is_finished()
    }

    /// True once it is of no use: broken, or without streams where no more are allowed. One whose
    /// last streams still run is kept, to be cut with them where that is asked for.
    pub(super) fn is_done(&self) -> bool {
        self.driver.is_finished() || (self.places.taken() == 0 && !self.is_usable())
    }

    /// True if nobody used it for so long.
    pub(super) fn is_idle_for(&self, age: Duration) -> bool {
        let since = *self.places.free_since();
        self.places.taken() == 0 && since.is_none_or(|since| since.elapsed() >= age)
    }

    /// Ends it and all its streams.
    pub(super) fn cut(&self) {
        self.state.cut.set(true);
        self.driver.abort();
        self.state.settle();
    }

    /// True once it was cut.
    pub(super) fn is_cut(&self) -> bool {
        self.state.cut.get()
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .max_header_list_size(RESPONSE_HEADER_BYTES_MAX)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .data_frame_budget(FRAME_OVERHEAD_BYTES_MAX)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_local_error_reset_streams(Some(ERROR_RESETS_MAX));
    builder
}

/// Drives a connection to its end.
async fn drive(
    connection: client::Connection<Box<dyn Io>, Bytes>,
    mut keeper: Keeper,
    state: Rc<State>,
    streams_max: usize,
) {
    let mut connection = pin!(connection);
    let ended = poll_fn(|cx| {
        loop {
            let ended = connection.as_mut().poll(cx).map_err(Error::from);
            let allowed = connection.max_concurrent_send_streams().clamp(1, streams_max);
            state.allowed.set(allowed);
            if ended.is_ready() {
                return ended;
            }
            match keeper.poll(cx) {
                Poll::Ready(Advice::Settled) => state.settle(),
                Poll::Ready(Advice::Grow(size)) => {
                    state.settle();
                    grow(connection.as_mut().get_mut(), size);
                }
                Poll::Ready(Advice::Dead) => return Poll::Ready(Err(Error::Dead)),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    if let Err(cause) = ended.await {
        tracing::debug!(%cause, "a connection of hbone broke");
    }
    state.settle();
}

/// Gives a connection's windows another size.
fn grow(connection: &mut client::Connection<Box<dyn Io>, Bytes>, size: u32) {
    connection.set_target_window_size(size);
    // Refused where the peer has not acknowledged the size before; the next will do.
    let _later = connection.set_initial_window_size(size / WINDOW_RATIO);
}
