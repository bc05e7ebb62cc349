//! Windows that grow, and pings that measure for it.

use std::{
    future::{Future, poll_fn},
    time::Duration,
};

use http::StatusCode;
use tokio::{
    task::{LocalSet, spawn_local},
    time::{Instant, Sleep, advance, sleep_until},
};

use super::*;
use crate::http2::{
    Allowance, Beat, Growth, Question, Reach, Receiving, Sending,
    frame::{PING, RST_STREAM},
};

const KIB: usize = 1024;

/// How far windows grow here.
const REACH: Reach = Reach { stream_window_max: 1024 * 1024, connection_growth_max: 2048 * 1024 };

/// A connection with some requests that go on, and what has its windows grow.
fn begun(allowance: &Allowance, streams: u32) -> (Bench, Growth) {
    let mut bench = Bench::new();
    for number in 0..streams {
        let ask = bench.ask(1 + 2 * number, "/", false);
        bench.feed(&ask);
    }
    (bench, Growth::new(allowance, REACH))
}

/// Has so much come on each of some streams, where it is taken at once.
fn pour(bench: &mut Bench, ids: &[u32], bytes: usize) {
    for id in ids {
        for _ in 0..bytes / (16 * KIB) {
            bench.feed(&body(*id, &[b'x'; 16 * 1024], false));
            (0..bench.accepted.len()).for_each(|which| drop(bench.read(which)));
        }
    }
    assert_eq!(bench.connection.failed(), None);
}

/// A round trip in which so much is taken.
async fn round(
    (bench, growth): (&mut Bench, &mut Growth),
    ids: &[u32],
    bytes: usize,
    time: Duration,
) -> Beat {
    growth.ask(&bench.connection);
    pour(bench, ids, bytes);
    advance(time).await;
    bench.feed(&frame(PING, ACK, 0, b"waypoint"));
    growth.follow(&bench.connection)
}

/// The windows of the first stream and of the connection, in KiB.
fn windows(bench: &Bench) -> (u32, u32) {
    let state = bench.connection.state.borrow();
    (state.streams[&1].window / 1024, state.limits.connection_window / 1024)
}

const SOON: Duration = Duration::from_millis(10);

#[tokio::test(start_paused = true)]
async fn a_window_grows_where_it_is_filled_faster_than_before() {
    let allowance = Allowance::new(4096 * KIB);
    let (mut bench, mut growth) = begun(&allowance, 2);
    let steps = [
        (128, SOON, (256, 1024), "half full"),
        (256, SOON, (512, 1280), "full"),
        (256, SOON, (512, 1280), "half full again"),
        (512, 3 * SOON, (512, 1280), "slower: more would only queue"),
        (512, SOON, (1024, 1792), "full again"),
        (1024, SOON, (1024, 1792), "as large as can be"),
    ];
    for (taken, time, expected, what) in steps {
        round((&mut bench, &mut growth), &[1], taken * KIB, time).await;
        assert_eq!(windows(&bench), expected, "{what}");
    }
    assert_eq!(allowance.left(), (4096 - 768) * KIB);
    assert_eq!(bench.connection.state.borrow().streams[&3].window, LIMITS.stream_window);
}

#[tokio::test(start_paused = true)]
async fn the_peer_may_send_as_much_as_it_was_told_and_no_more() {
    let (mut bench, mut growth) = begun(&Allowance::new(4096 * KIB), 2);
    round((&mut bench, &mut growth), &[1], 256 * KIB, SOON).await;
    for _ in 0..32 {
        bench.feed(&body(1, &[b'x'; 16 * 1024], false));
    }
    // Nothing of that is taken, and another stream has as much room as ever.
    (0..16).for_each(|_| bench.feed(&body(3, &[b'x'; 16 * 1024], false)));
    assert_eq!((bench.connection.failed(), bench.told(RST_STREAM)), (None, None));
    bench.feed(&body(1, &[b'x'; 1], false));
    assert_eq!(bench.told(RST_STREAM), Some(crate::http2::Reason::FLOW_CONTROL_ERROR));
}

#[tokio::test(start_paused = true)]
async fn what_a_stream_had_more_is_withdrawn_when_it_ends() {
    let allowance = Allowance::new(4096 * KIB);
    let (mut bench, mut growth) = begun(&allowance, 1);
    round((&mut bench, &mut growth), &[1], 768 * KIB, SOON).await;
    assert_eq!(windows(&bench), (1024, 1792));
    bench.feed(&body(1, b"", true));
    bench.accepted.clear();
    for id in (3..).step_by(2).take(8) {
        let ask = bench.ask(id, "/", false);
        bench.feed(&ask);
        pour(&mut bench, &[id], 512 * KIB);
        bench.accepted.clear();
    }
    assert_eq!(bench.connection.state.borrow().limits.connection_window, LIMITS.connection_window);
    assert_eq!(allowance.left(), 4096 * KIB);
}

#[tokio::test(start_paused = true)]
async fn many_streams_that_fill_the_connection_together_get_more_of_it() {
    let allowance = Allowance::new(4096 * KIB);
    let (mut bench, mut growth) = begun(&allowance, 8);
    let ids = [1, 3, 5, 7, 9, 11, 13, 15];
    round((&mut bench, &mut growth), &ids, 128 * KIB, SOON).await;
    assert_eq!(windows(&bench), (256, 2048));
    drop(bench);
    assert_eq!(allowance.left(), 4096 * KIB, "it is given back");
}

#[tokio::test(start_paused = true)]
async fn what_all_may_grow_by_is_bounded() {
    let allowance = Allowance::new(256 * KIB);
    let (mut one, mut its) = begun(&allowance, 1);
    let (mut other, mut others) = begun(&allowance, 1);
    let grown = round((&mut one, &mut its), &[1], 256 * KIB, SOON).await;
    assert!(matches!(grown, Beat::Answered { is_short: false, .. }));
    let refused = round((&mut other, &mut others), &[1], 256 * KIB, SOON).await;
    assert!(matches!(refused, Beat::Answered { is_short: true, .. }));
    assert_eq!((windows(&one), windows(&other)), ((512, 1280), (256, 1024)));
    drop(one);
    round((&mut other, &mut others), &[1], 256 * KIB, SOON).await;
    assert_eq!(windows(&other), (512, 1280));
}

#[tokio::test(start_paused = true)]
async fn pings_follow_much_data_and_not_each_other() {
    let (mut bench, mut growth) = begun(&Allowance::new(0), 1);
    let mut asks = |bench: &Bench| matches!(growth.follow(&bench.connection), Beat::Asked(_));
    pour(&mut bench, &[1], 48 * KIB);
    assert!(!asks(&bench), "little was taken");
    pour(&mut bench, &[1], 16 * KIB);
    assert!(asks(&bench));
    pour(&mut bench, &[1], 128 * KIB);
    assert!(!asks(&bench), "one is on its way");
    bench.feed(&frame(PING, ACK, 0, b"waypoint"));
    assert!(!asks(&bench), "it was answered");
    pour(&mut bench, &[1], 128 * KIB);
    assert!(!asks(&bench), "it is too soon");
    advance(Duration::from_secs(10)).await;
    assert!(!asks(&bench), "nothing was taken since");
    pour(&mut bench, &[1], 64 * KIB);
    assert!(asks(&bench));
}

/// One way of a pipe on which everything takes a while.
#[derive(Default)]
struct Lane {
    queue: VecDeque<(Instant, Bytes)>,
    reader: Option<Waker>,
}

/// One end of it.
struct Far {
    incoming: Rc<RefCell<Lane>>,
    outgoing: Rc<RefCell<Lane>>,
    alarm: Pin<Box<Sleep>>,
}

fn far_pipe() -> (Far, Far) {
    let (one, other) = (Rc::<RefCell<Lane>>::default(), Rc::<RefCell<Lane>>::default());
    let end = |incoming: &Rc<_>, outgoing: &Rc<_>| Far {
        incoming: Rc::clone(incoming),
        outgoing: Rc::clone(outgoing),
        alarm: Box::pin(sleep_until(Instant::now())),
    };
    (end(&one, &other), end(&other, &one))
}

impl Io for Far {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let mut lane = self.incoming.borrow_mut();
        lane.reader = Some(cx.waker().clone());
        let Some((due, _)) = lane.queue.front() else { return Poll::Pending };
        if *due > Instant::now() {
            self.alarm.as_mut().reset(*due);
            ready!(self.alarm.as_mut().poll(cx));
        }
        Poll::Ready(Ok(lane.queue.pop_front().map(|(_, bytes)| bytes).unwrap_or_default()))
    }

    fn poll_send(
        &mut self,
        queue: &mut VecDeque<Bytes>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let (due, mut lane) = (Instant::now() + ROUND_TRIP / 2, self.outgoing.borrow_mut());
        lane.queue.extend(queue.drain(..).map(|bytes| (due, bytes)));
        lane.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn send_all(sending: &mut Sending) {
    let mut body = Bytes::from(vec![b'x'; BODY_BYTES]);
    poll_fn(|cx| sending.poll_send(&mut body, true, cx)).await.unwrap();
}

async fn take_all(receiving: &mut Receiving) {
    let mut taken = 0;
    while let Some(piece) = poll_fn(|cx| receiving.poll_bytes(usize::MAX, cx)).await {
        taken += piece.unwrap().len();
    }
    assert_eq!(taken, BODY_BYTES);
}

/// Serves one request; with its body, or with one of the response.
async fn serve(io: Far, allowance: Allowance, is_upload: bool) {
    let (mut connection, mut growth) = (Connection::server(io, LIMITS), far(&allowance));
    let mut next = async || {
        poll_fn(|cx| {
            let accepted = connection.poll_accept(cx);
            growth.follow(&connection);
            accepted
        })
        .await
    };
    while let Some(Accepted { mut body, mut reply, .. }) = next().await {
        spawn_local(async move {
            if is_upload {
                take_all(&mut body).await;
            }
            reply.respond(StatusCode::OK, &HeaderMap::new(), is_upload).unwrap();
            if !is_upload {
                send_all(&mut reply).await;
            }
        });
    }
}

/// How long a body takes from here to there, or back.
async fn transfer(allowance: usize, is_upload: bool) -> Duration {
    let transferring = async {
        let (ours, theirs) = far_pipe();
        let allowance = Allowance::new(allowance);
        spawn_local(serve(theirs, allowance.clone(), is_upload));
        let (mut connection, sender) = Connection::client(ours, LIMITS);
        let mut growth = far(&allowance);
        spawn_local(poll_fn(move |cx| {
            let driven = connection.poll_drive(cx);
            growth.follow(&connection);
            driven
        }));
        poll_fn(|cx| sender.poll_told(cx)).await;
        let (start, headers) = (Instant::now(), HeaderMap::new());
        let question = Question {
            method: &Method::POST,
            scheme: Some("http"),
            authority: "shop",
            path: Some("/"),
            protocol: None,
            headers: &headers,
        };
        let (mut sending, mut receiving) = sender.ask(&question, !is_upload).unwrap();
        if is_upload {
            send_all(&mut sending).await;
        }
        poll_fn(|cx| receiving.poll_response(cx)).await.unwrap();
        if !is_upload {
            take_all(&mut receiving).await;
        }
        start.elapsed()
    };
    LocalSet::new().run_until(transferring).await
}

fn far(allowance: &Allowance) -> Growth {
    let (stream_window_max, connection_growth_max) = (4 * 1024 * 1024, 15 * 1024 * 1024);
    Growth::new(allowance, Reach { stream_window_max, connection_growth_max })
}

#[tokio::test(start_paused = true)]
async fn bodies_from_afar_are_not_held_back_for_long_in_either_direction() {
    for is_upload in [true, false] {
        let as_it_was = transfer(0, is_upload).await;
        assert!(as_it_was > Duration::from_secs(5), "{as_it_was:?}: the windows hold it back");
        let grown = transfer(BODY_BYTES, is_upload).await;
        assert!(grown < Duration::from_millis(2500), "{grown:?}: upload {is_upload}");
    }
}

const ROUND_TRIP: Duration = Duration::from_millis(100);

const BODY_BYTES: usize = 16 * 1024 * 1024;
