use std::collections::VecDeque;

use super::*;
use crate::{proxy::overload::Pressure, telemetry::metrics::Registry};

type Piece = Option<Result<Frame<Bytes>, RequestBroken>>;

fn overload() -> Overload {
    Overload::new(1, Pressure::default(), &Registry::new())
}

fn pieces(texts: &[&'static str]) -> impl FnMut(&mut Context<'_>) -> Poll<Piece> {
    let mut left: VecDeque<_> = texts.iter().copied().collect();
    move |_| Poll::Ready(left.pop_front().map(|text| Ok(Frame::data(Bytes::from(text)))))
}

#[tokio::test]
async fn what_is_as_long_as_may_be_is_read_and_what_is_longer_is_not() {
    let overload = overload();
    let shown = read(pieces(&["hel", "", "lo"]), 5, overload.hold()).await.unwrap();
    assert_eq!(shown.size_hint().exact(), Some(5));
    assert_eq!(shown.bytes, "hello");
    let refused = read(pieces(&["hel", "lo!"]), 5, overload.hold()).await.err();
    assert!(matches!(refused, Some(Unread::Refused(Fault::TooLarge))), "{refused:?}");
}

#[tokio::test]
async fn trailers_come_after_the_body_which_has_no_length_then() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "7".parse().unwrap());
    let mut left = VecDeque::from([Frame::data(Bytes::from("a")), Frame::trailers(trailers)]);
    let poll = |_: &mut Context<'_>| Poll::Ready(left.pop_front().map(Ok));
    let mut shown = read(poll, 5, overload().hold()).await.unwrap();
    assert_eq!(shown.size_hint().exact(), None);
    assert_eq!(shown.next().unwrap().into_data().unwrap(), "a");
    assert!(!shown.is_over());
    assert_eq!(shown.next().unwrap().into_trailers().unwrap()["x-sum"], "7");
    assert!(shown.is_over());
    assert!(shown.next().is_none());
}

#[tokio::test]
async fn what_breaks_off_is_no_body() {
    let mut left = VecDeque::from([Ok(Frame::data(Bytes::from("a"))), Err(RequestBroken::CutOff)]);
    let poll = |_: &mut Context<'_>| Poll::Ready(left.pop_front());
    let broken = read(poll, 5, overload().hold()).await.err();
    assert!(matches!(broken, Some(Unread::Broken)), "{broken:?}");
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_slowly_is_refused() {
    let mut first = Some(Ok(Frame::data(Bytes::from("a"))));
    let poll =
        |_: &mut Context<'_>| first.take().map_or(Poll::Pending, |one| Poll::Ready(Some(one)));
    let began = Instant::now();
    let refused = read(poll, 5, overload().hold()).await.err();
    assert!(matches!(refused, Some(Unread::Refused(Fault::SlowBody))), "{refused:?}");
    assert!(began.elapsed() >= AUTH_BODY_TIMEOUT);
}
