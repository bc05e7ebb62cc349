//! Requests that are sent to more than one endpoint.

use std::time::Duration;

use super::{
    lab::{Backend, read_to_end, read_until},
    traffic::{GET, lab, named, retry, scripted, who},
};
use crate::mesh::traffic_policy::{Algorithm, Hedging, RetryOn};

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_endpoint_is_overtaken() {
    let slow = Backend::bind().await;
    let fast = named(["fast"]).await[0];
    let lab = lab(&[slow.address(), fast], |policy| {
        policy.endpoints.load_balancing.algorithm = Algorithm::RoundRobin;
        let delay = Duration::from_millis(20);
        policy.requests.hedging = Some(Hedging { delay, max_requests: 2 });
    });
    let asking = lab.ask(GET);
    let overtaken = async {
        let mut upstream = slow.accept().await;
        read_until(&mut upstream, "\r\n\r\n").await;
        // The request is cancelled when the other was answered.
        read_to_end(&mut upstream).await
    };
    let (answer, rest) = tokio::join!(asking, overtaken);
    assert_eq!((who(&answer), rest.as_str()), ("fast", ""));
    let line = lab.line(1).await;
    assert_eq!(line["upstream_host"], fast.to_string());
    assert!(line["upstream_local_address"].is_string(), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overtaken_request_tells_that_there_are_no_tries_left() {
    let (bad, _) = scripted(&[503]).await;
    let (worse, _) = scripted(&[503]).await;
    let lab = lab(&[bad, worse], |policy| {
        policy.requests.retry = Some(retry(&[RetryOn::ServerError], 1));
        let delay = Duration::from_millis(20);
        policy.requests.hedging = Some(Hedging { delay, max_requests: 2 });
    });
    assert!(lab.ask(GET).await.starts_with("HTTP/1.1 503 "));
    assert_eq!(lab.line(1).await["response_flags"], "URX");
}
