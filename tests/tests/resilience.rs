//! TrafficPolicies of manifests, end to end: what clients get, and what is told of it.

use std::{
    io::Read,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use waypoint_tests::{
    lab::{
        Lab, LabBuilder, Pod,
        wait::{self, SOON},
    },
    story,
    story::shop_behind_waypoint,
};

/// A policy for the Service `reviews`.
fn policy(rest: &str) -> String {
    format!(
        "apiVersion: waypoint.dev/v1alpha1\nkind: TrafficPolicy\n\
         metadata: {{name: reviews, namespace: shop}}\n\
         spec:\n  targetRefs: [{{group: \"\", kind: Service, name: reviews}}]\n  {rest}\n"
    )
}

/// The shop with two servers of `reviews`.
fn two_servers(lab: LabBuilder) -> LabBuilder {
    shop_behind_waypoint(lab).pod(Pod::server("shop", SECOND, "reviews"))
}

/// How many of so many requests, one after the other on one connection, the second server answers.
fn answered_by_second(lab: &Lab, requests: usize, path: &str) -> Result<usize> {
    let call = lab.from("web").to("reviews").path(path);
    let mut connection = call.open()?;
    let mut second = 0;
    for _ in 0..requests {
        let reply = connection.exchange(call.request())?;
        ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
        second += usize::from(reply.says("name")? == SECOND);
    }
    Ok(second)
}

story!(a_policy_aborts_requests_until_it_is_withdrawn, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    lab.apply("policy.yaml", &policy("fault: {abort: {httpStatus: 418, percentage: 100}}"))?;
    let becomes = |lab: &Lab, status| {
        let call = lab.from("web").to("reviews");
        wait::until_true("another answer", SOON, || Ok(call.send()?.status == status))
    };
    becomes(&lab, 418)?;
    lab.wait_for_line("the fault", |line| line["response_flags"] == "FI")?;
    // What is not understood changes nothing.
    lab.apply("policy.yaml", &policy("fault: {abort: {status: 200}}"))?;
    assert_eq!(lab.from("web").to("reviews").send()?.status, 418);
    assert!(lab.analyze()?.contains("TrafficPolicy shop/reviews"), "{}", lab.analyze()?);
    lab.withdraw("policy.yaml")?;
    becomes(&lab, 200)
});

story!(random_choice_looks_at_no_load_and_the_default_does, |lab| {
    let mut lab = two_servers(lab).start()?;
    assert!(is_spared_while_busy(&lab)?, "by default");
    lab.apply("policy.yaml", &policy("loadBalancing: {algorithm: Random}"))?;
    assert!(!is_spared_while_busy(&lab)?, "by chance");
    Ok(())
});

/// Whether a server that has a request to answer gets no further one of those that come meanwhile;
/// asked on many connections, as a worker knows only what it sends itself.
fn is_spared_while_busy(lab: &Lab) -> Result<bool> {
    let call = lab.from("web").to("reviews").path("/slow?ms=4000");
    let mut held = call.open()?;
    held.send(call.request())?;
    let mut counts = Vec::new();
    for _ in 0..CONNECTIONS {
        counts.push(answered_by_second(lab, MEANWHILE, "/meanwhile")?);
    }
    let spared = if held.finish()?.says("name")? == SECOND { 0 } else { MEANWHILE };
    Ok(counts.contains(&spared))
}

story!(a_server_that_answers_late_gets_little_by_peak_ewma, |lab| {
    let mut lab = two_servers(lab).start()?;
    let slow = "/slow?ms=30&at=reviews-v1";
    let fast = answered_by_second(&lab, 40, slow)?;
    assert!(fast < 36, "{fast} of 40 at the fast server by default");
    lab.apply("policy.yaml", &policy("loadBalancing: {algorithm: PeakEwma}"))?;
    let fast = answered_by_second(&lab, 40, slow)?;
    assert!(fast >= 38, "{fast} of 40 at the fast server");
    Ok(())
});

story!(a_new_server_begins_with_a_small_part, |lab| {
    let rest = "loadBalancing: {algorithm: RoundRobin, slowStart: {window: 6s}}";
    let mut lab = two_servers(lab)
        .pod(Pod::server("shop", SECOND, "reviews").ready(false))
        .file("policy.yaml", &policy(rest))
        .start()?;
    // The first server is new for as long as that itself.
    let began = Instant::now();
    wait::until_true("end of the window", SOON, || {
        assert_eq!(answered_by_second(&lab, 1, "/")?, 0);
        Ok(began.elapsed() > Duration::from_secs(6))
    })?;
    lab.edit_pod(SECOND, |pod| pod.ready(true))?;
    let second = answered_by_second(&lab, 50, "/")?;
    assert!((1..15).contains(&second), "{second} of 50 at first");
    wait::until_true("an even part", SOON, || {
        Ok((23..=27).contains(&answered_by_second(&lab, 50, "/")?))
    })
});

story!(no_more_requests_are_sent_again_at_a_time_than_a_breaker_has_room_for, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    let retry = "retry: {retryOn: [5xx], attempts: 1}";
    lab.apply("policy.yaml", &policy(retry))?;
    assert_eq!(sent_again(&lab)?, CALLERS, "without a breaker");
    lab.apply("policy.yaml", &policy(&format!("{retry}\n  circuitBreaker: {{maxRetries: 1}}")))?;
    let again = sent_again(&lab)?;
    assert!((1..CALLERS).contains(&again), "{again} of {CALLERS} were sent again");
    Ok(())
});

/// How many of some requests at a time, each answered with an error after a while, took as long as
/// two tries.
fn sent_again(lab: &Lab) -> Result<usize> {
    let path = format!("/slow?ms={}&code=503", TRY.as_millis());
    let took = || -> Result<Duration> {
        let began = Instant::now();
        let reply = lab.from("web").to("reviews").path(&path).send()?;
        ensure!(reply.status == 503, "{}", reply.status);
        Ok(began.elapsed())
    };
    let times = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(took)).collect();
        let ended = callers.into_iter().map(thread::ScopedJoinHandle::join);
        ended
            .map(|took| took.map_err(|_| anyhow!("a caller panicked"))?)
            .collect::<Result<Vec<_>>>()
    })?;
    Ok(times.into_iter().filter(|took| *took >= TRY * 2).count())
}

story!(a_try_that_takes_too_long_is_made_at_another_server, |lab| {
    let mut lab = two_servers(lab).start()?;
    let rest = "retry: {retryOn: [reset], attempts: 1, perTryTimeout: 200ms}";
    lab.apply("policy.yaml", &policy(rest))?;
    for _ in 0..8 {
        let began = Instant::now();
        let call = lab.from("web").to("reviews").path("/slow?ms=6000&at=reviews-v1");
        let visit = lab.through_waypoint(&call)?;
        assert_eq!(visit.reply.status, 200, "{}", visit.line);
        assert_eq!(visit.reply.says("name")?, SECOND);
        ensure!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    // Where both are late, the client is told.
    let visit = lab.through_waypoint(&lab.from("web").to("reviews").path("/slow?ms=6000"))?;
    assert_eq!(visit.reply.status, 504, "{}", visit.line);
    assert_eq!(visit.logged("response_flags"), "UT");
    assert_eq!(visit.logged("response_code_details"), "upstream_per_try_timeout");
    Ok(())
});

story!(a_response_ends_when_streams_may_last_no_longer, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    lab.apply("policy.yaml", &policy("timeouts: {maxStreamDuration: 400ms}"))?;
    let visit = lab.through_waypoint(&lab.from("web").to("reviews").path("/slow?ms=6000"))?;
    assert_eq!(visit.reply.status, 504, "{}", visit.line);
    assert_eq!(visit.logged("response_flags"), "UMSDR");

    // One that moves all the time is cut, and does not look complete.
    let call = lab.from("web").to("reviews").path("/bytes?n=1000000000000");
    let mut connection = call.open()?;
    let began = Instant::now();
    connection.send(call.request())?;
    assert_eq!(connection.read_head()?.status, 200);
    let mut chunk = vec![0; 1 << 20];
    let mut last = Vec::new();
    // The end may be a reset, too.
    while let Ok(length @ 1..) = connection.stream().read(&mut chunk) {
        let read = chunk.get(..length).context("what was read")?;
        last = [&last, read].concat();
        last.drain(..last.len().saturating_sub(LAST_CHUNK.len()));
        ensure!(began.elapsed() < SOON, "it goes on");
    }
    ensure!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    assert_ne!(last, LAST_CHUNK);
    let line = lab.wait_for_line("the stream", |line| line["path"] == "/bytes?n=1000000000000")?;
    assert_eq!(line["response_flags"], "UMSDR", "{line}");
    Ok(())
});

story!(a_server_that_does_not_take_connections_is_given_up_when_a_policy_says, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    let silent = "add table inet silent\n\
                  add chain inet silent in { type filter hook input priority 0; }\n\
                  add rule inet silent in tcp dport 9080 drop\n";
    lab.from("reviews-v1").netns()?.nft(silent)?;
    lab.apply("policy.yaml", &policy("retry: {attempts: 0}\n  timeouts: {connect: 300ms}"))?;
    let began = Instant::now();
    let visit = lab.through_waypoint(&lab.from("web").to("reviews"))?;
    let took = began.elapsed();
    assert_eq!(visit.reply.status, 503, "{}", visit.line);
    assert_eq!(visit.logged("response_flags"), "UF");
    let details = "upstream_reset_before_response_started{connection_timeout}";
    assert_eq!(visit.logged("response_code_details"), details);
    ensure!(took >= Duration::from_millis(300) && took < Duration::from_secs(4), "{took:?}");
    Ok(())
});

const SECOND: &str = "reviews-v2";
/// Connections while one server is busy, and requests on each.
const CONNECTIONS: usize = 12;
const MEANWHILE: usize = 20;
/// Requests at a time, and how long each try takes.
const CALLERS: usize = 4;
const TRY: Duration = Duration::from_millis(800);
/// How a body in chunks ends that is complete.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
