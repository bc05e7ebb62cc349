//! Calls of gRPC: how long they may take, and what comes of those that lead nowhere.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::{RecvStream, SendStream, client, server};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::{
    conduct,
    lab::{Backend, Lab, PATIENCE, read_until},
    traffic::govern,
};
use crate::{
    mesh::{
        object::ObjectName,
        request::Origin,
        route::{Conduct, HttpRule, Timeouts},
        service::AppProtocol,
    },
    proxy::Origins,
    telemetry::task,
};

/// A call whose caller waits for so long.
fn call(waits: &str) -> String {
    format!(
        "POST /s/m HTTP/1.1\r\nhost: shop\r\ncontent-type: application/grpc\r\n\
         grpc-timeout: {waits}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn a_call_ends_at_the_earlier_of_its_caller_s_time_and_its_route_s() {
    const SHORT: Duration = Duration::from_millis(120);
    let hour = Duration::from_hours(1);
    for (caller, route, status, details) in [
        ("1H", SHORT, 14, "upstream_response_timeout"),
        ("99999999H", SHORT, 14, "upstream_response_timeout"),
        ("120m", hour, 4, "upstream_max_stream_duration_reached"),
    ] {
        let backend = Backend::bind().await;
        let timeouts = Timeouts { request: Some(route), backend_request: None };
        let conduct = Conduct { timeouts, ..Conduct::default() };
        let rule = HttpRule { conduct, ..HttpRule::default() };
        let lab = conduct::lab(&[&backend], None, rule);
        let began = Instant::now();
        let asked = async {
            let mut stream = backend.accept().await;
            read_until(&mut stream, "\r\n\r\n").await;
            stream
        };
        let call = call(caller);
        let (answer, _endpoint) = tokio::join!(lab.ask(&call), asked);
        assert!(began.elapsed() >= SHORT, "{caller}");
        assert!(answer.contains(&format!("\r\ngrpc-status: {status}\r\n")), "{caller}: {answer}");
        let line = lab.line(1).await;
        assert_eq!(line["response_code_details"], details, "{caller}");
    }
}

/// Puts the clock of an engine forward, when the next connection comes.
#[derive(Clone, Default)]
struct Leap {
    is_wanted: Arc<AtomicBool>,
    done: Arc<Notify>,
}

impl Leap {
    /// Where connections come from; the clock is that of the thread that asks.
    fn origins(&self) -> Origins {
        let leap = self.clone();
        Arc::new(move |_| {
            if !leap.is_wanted.swap(false, Ordering::SeqCst) {
                return Origin::Pod(ObjectName::new("default", "web"));
            }
            let done = Arc::clone(&leap.done);
            task::spawn_local("leap", async move {
                tokio::time::pause();
                for _ in 0..90 {
                    tokio::time::advance(Duration::from_mins(1)).await;
                }
                tokio::time::resume();
                done.notify_one();
            });
            Origin::Probe
        })
    }

    /// Lets an hour and a half go by.
    async fn take(&self, lab: &Lab) {
        self.is_wanted.store(true, Ordering::SeqCst);
        let _unanswered = lab.connect().await;
        timeout(PATIENCE, self.done.notified()).await.expect("the clock stands");
    }
}

/// A stream of gRPC on which both sides have said something.
struct Talk {
    sending: SendStream<Bytes>,
    coming: RecvStream,
    asked: RecvStream,
    answering: SendStream<Bytes>,
}

impl Talk {
    async fn begin(lab: &Lab, backend: &Backend) -> Self {
        let (mut client, connection) = client::handshake(lab.connect().await).await.unwrap();
        task::spawn("grpc client", connection);
        let request = Request::post("http://shop/a.B/Watch");
        let request = request.header("content-type", "application/grpc").body(()).unwrap();
        let (answer, mut sending) = client.send_request(request, false).unwrap();
        sending.send_data(Bytes::from_static(b"ask"), false).unwrap();
        let mut connection = server::handshake(backend.accept().await).await.unwrap();
        let accepted = timeout(PATIENCE, connection.accept()).await.expect("nothing is asked");
        let (request, mut respond) = accepted.unwrap().unwrap();
        task::spawn("grpc endpoint", async move { while connection.accept().await.is_some() {} });
        let mut asked = request.into_body();
        hear(&mut asked, "ask").await;
        let mut answering = respond.send_response(Response::new(()), false).unwrap();
        answering.send_data(Bytes::from_static(b"answer"), false).unwrap();
        let answer = timeout(PATIENCE, answer).await.expect("no answer").unwrap();
        let mut coming = answer.into_body();
        hear(&mut coming, "answer").await;
        Self { sending, coming, asked, answering }
    }
}

/// Waits for a message.
async fn hear(body: &mut RecvStream, message: &'static str) {
    let piece = timeout(PATIENCE, body.data()).await.expect("nothing comes");
    assert_eq!(piece.expect("the end came").unwrap(), message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_may_be_silent_for_as_long_as_it_likes_unless_a_policy_says_otherwise() {
    for idle in [None, Some(Duration::from_hours(2)), Some(Duration::from_hours(1))] {
        let (backend, leap) = (Backend::bind().await, Leap::default());
        let lab = Lab::start_asking(
            &[backend.address()],
            AppProtocol::Http2,
            leap.origins(),
            |contents| govern(contents, |policy| policy.requests.timeouts.stream_idle = idle),
        );
        let mut talk = Talk::begin(&lab, &backend).await;
        leap.take(&lab).await;
        if idle.is_some_and(|idle| idle <= Duration::from_hours(1)) {
            let broken = timeout(PATIENCE, talk.coming.data()).await.expect("it is not cut");
            assert!(broken.unwrap().unwrap_err().is_reset());
            assert_eq!(lab.line(1).await["response_flags"], "SI");
            continue;
        }
        talk.sending.send_data(Bytes::from_static(b"more?"), false).unwrap();
        hear(&mut talk.asked, "more?").await;
        talk.answering.send_data(Bytes::from_static(b"more"), false).unwrap();
        hear(&mut talk.coming, "more").await;
        let status = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
        talk.answering.send_trailers(HeaderMap::from_iter([status])).unwrap();
        let trailers = timeout(PATIENCE, talk.coming.trailers()).await.expect("no end").unwrap();
        assert_eq!(trailers.unwrap()["grpc-status"], "0");
        talk.sending.send_data(Bytes::new(), true).unwrap();
        assert_eq!(lab.line(1).await["response_flags"], "-", "{idle:?}");
    }
}
