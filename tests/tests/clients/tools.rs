//! curl, nghttp, h2load and slowhttptest.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use waypoint_tests::{
    lab::{
        Family, Lab,
        wait::{self, SOON},
    },
    story,
    story::shop_behind_waypoint,
};

story!(curl_finds_everything_as_it_should_be, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let url = |path: &str| lab.from("web").to("reviews").path(path).url();
    let (page, upload) = (url("/page")?, url("/upload")?);

    let head = curl(&lab, &["-I", &page])?;
    ensure!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    ensure!(head.to_lowercase().contains("\r\ncontent-length: "), "{head}");
    for code in ["204", "304"] {
        let told = curl(&lab, &["-i", &url(&format!("/status?code={code}"))?])?;
        ensure!(told.starts_with(&format!("HTTP/1.1 {code} ")), "{told}");
        ensure!(told.ends_with("\r\n\r\n"), "{told}");
    }
    let old = curl(&lab, &["-0", "-i", &page])?;
    ensure!(old.starts_with("HTTP/1.0 200 OK\r\n") && old.contains("reviews-v1"), "{old}");

    let body = lab.name().directory().join("body");
    std::fs::write(&body, vec![b'w'; BODY_BYTES])?;
    let body = format!("@{}", body.display());
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let chunked = [version, "-H", "transfer-encoding: chunked", "--data-binary", &body];
        // HTTP/2 has no such field; curl leaves it out.
        let told = curl(&lab, &[&chunked[..], &[&upload]].concat())?;
        ensure!(told == format!("{{\"received\":{BODY_BYTES}}}\n"), "{version}: {told}");
    }
    // Two requests on one connection.
    let told = curl(&lab, &["-w", "%{num_connects}\n", &page, &page])?;
    let connects: Vec<_> = told.lines().filter(|line| line.len() == 1).collect();
    ensure!(connects == ["1", "0"], "{told}");
    let waits = ["-v", "--expect100-timeout", "20", "-H", "expect: 100-continue"];
    let began = Instant::now();
    let told = curl(&lab, &[&waits[..], &["--stderr", "-", "-d", "now", &upload]].concat())?;
    ensure!(told.contains("< HTTP/1.1 100 Continue"), "{told}");
    ensure!(told.contains("{\"received\":3}"), "{told}");
    ensure!(began.elapsed() < Duration::from_secs(10), "it was not told: {told}");
    Ok(())
});

/// In one family, as h2load names an IPv6 address without brackets, which is no authority.
#[test]
fn nghttp_and_h2load_are_served() {
    story::tell(Family::V4, |lab| {
        let lab = shop_behind_waypoint(lab).start()?;
        let url = lab.from("web").to("reviews").path("/bytes?n=10000").url()?;
        let told = lab.from("web").run("nghttp", &["-n", "-v", "-m", "20", &url])?;
        let statuses = told.lines().filter(|line| line.contains(":status: 200")).count();
        ensure!(statuses == 20, "{told}");
        for (version, connections) in [("--h1", "20"), ("-m10", "8")] {
            let told =
                lab.from("web").run("h2load", &[version, "-n4000", "-c", connections, &url])?;
            ensure!(told.contains("4000 succeeded, 0 failed, 0 errored, 0 timeout"), "{told}");
        }
        let labels = [("reporter", "waypoint"), ("response_code", "200")];
        lab.wait_for_sum("istio_requests_total", &labels, 8020)
    });
}

/// In one family, as it waits for a timeout of half a minute.
#[test]
fn slow_clients_are_ended_and_the_others_are_served() {
    story::tell(Family::V4, |lab| {
        let lab = shop_behind_waypoint(lab).start()?;
        let url = lab.from("web").to("reviews").path("/slowly").url()?;
        // Heads that never end: 100 connections, another field every five seconds.
        let slowly = ["-H", "-c", "100", "-r", "100", "-i", "5", "-l", "45", "-p", "5"];
        let arguments = [&slowly[..], &["-u", &url]].concat();
        std::thread::scope(|scope| {
            let attack = scope.spawn(|| slowhttptest(&lab, &arguments));
            let mut served = 0;
            while !attack.is_finished() {
                let told = curl(&lab, &["-m", "5", &url])?;
                ensure!(told.contains("reviews-v1"), "{told}");
                served += 1;
            }
            let told = attack.join().map_err(|_| anyhow::anyhow!("the attack broke off"))??;
            ensure!(served > 20, "only {served} requests were served");
            // All were closed by the waypoint, before the tool would have ended them.
            ensure!(told.contains("No open connections left"), "{told}");
            lab.wait_for_sum("waypoint_limit_hits_total", &[("limit", "header_timeout")], 100)
        })
    });
}

/// In one family, as slowhttptest names an IPv6 address without brackets, which is no authority.
#[test]
fn slow_bodies_keep_nobody_from_being_served() {
    story::tell(Family::V4, |lab| {
        let lab = shop_behind_waypoint(lab).start()?;
        let url = lab.from("web").to("reviews").path("/upload").url()?;
        let slowly = ["-B", "-c", "100", "-r", "100", "-i", "1", "-s", "8192", "-l", "6"];
        let arguments = [&slowly[..], &["-u", &url]].concat();
        std::thread::scope(|scope| {
            let attack = scope.spawn(|| slowhttptest(&lab, &arguments));
            let mut served = 0;
            while !attack.is_finished() {
                let told = curl(&lab, &["-m", "5", "-d", "quick", &url])?;
                ensure!(told == "{\"received\":5}\n", "{told}");
                served += 1;
            }
            attack.join().map_err(|_| anyhow::anyhow!("the attack broke off"))??;
            ensure!(served > 20, "only {served} requests were served");
            // Whoever leaves within a body has asked for nothing any more.
            wait::until_true("end of what broke off", SOON, || {
                let log = lab.agent()?.access_log()?;
                Ok(log.iter().filter(|line| line["response_flags"] == "DC").count() >= 100)
            })
        })
    });
}

fn curl(lab: &Lab, arguments: &[&str]) -> Result<String> {
    lab.from("web").run("curl", &[&["-sS", "-g", "--noproxy", "*"], arguments].concat())
}

fn slowhttptest(lab: &Lab, arguments: &[&str]) -> Result<String> {
    // It says with its exit code how its victim did, and colours what it prints.
    let line = format!("slowhttptest {} || true", arguments.join(" "));
    lab.from("web").run("sh", &["-c", &line]).context("slowhttptest")
}

const BODY_BYTES: usize = 300_000;
