//! Faults of some requests only.

use super::*;

fn share(percent: f64) -> Percentage {
    Percentage::of_hundred(percent).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn delays_and_aborts_each_hit_their_share_of_requests_whatever_the_other_does() {
    const ASKED: usize = 300;
    let backends = named(["a"]).await;
    let lab = lab(&backends, |policy| {
        let fixed = Duration::from_millis(1);
        policy.requests.fault.delay = Some(Delay { fixed, share: share(50.0) });
        let status = AbortStatus::Http(418);
        policy.requests.fault.abort = Some(Abort { status, share: share(50.0) });
    });
    // Those that are neither, either, and both.
    let mut counts = [0; 4];
    for number in 1..=ASKED {
        let answer = lab.ask(GET).await;
        let line = lab.line(number).await;
        let flags = line["response_flags"].as_str().unwrap();
        let which = ["-", "DI", "FI", "DI,FI"].iter().position(|known| *known == flags);
        let which = which.unwrap_or_else(|| panic!("{flags}"));
        assert_eq!(answer.starts_with("HTTP/1.1 418 "), which >= 2, "{flags}: {answer}");
        counts[which] += 1;
    }
    // Each is a quarter; that one is off by as much as half has less than one chance in a million.
    let bounds = ASKED / 8..=ASKED / 4 + ASKED / 8;
    assert!(counts.iter().all(|count| bounds.contains(count)), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_share_hits_nobody() {
    let backends = named(["a"]).await;
    let lab = lab(&backends, |policy| {
        let fixed = Duration::from_hours(1);
        policy.requests.fault.delay = Some(Delay { fixed, share: share(0.0) });
        let status = AbortStatus::Http(418);
        policy.requests.fault.abort = Some(Abort { status, share: share(0.0) });
    });
    for _ in 0..20 {
        assert_eq!(who(&lab.ask(GET).await), "a");
    }
}
