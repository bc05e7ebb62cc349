//! What flows through a waypoint: protocols, upgrades, large bodies, headers.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::Shutdown,
    thread,
};

use anyhow::{Context, Result, ensure};
use tokio_tungstenite::tungstenite;
use waypoint_tests::{
    lab::{Connection, Lab, Object, Pod, Service, object::SERVER_PORT},
    shop::Protocol,
    story,
    story::shop_behind_waypoint,
};

story!(requests_share_a_connection, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let call = lab.from("web").to("reviews").path("/again");
    let mut live = call.open()?;
    for _ in 0..20 {
        assert_eq!(live.exchange(call.request())?.status, 200);
    }
    lab.wait_for_line("the last request", |line| line["path"] == "/again")?;
    assert_eq!(lab.kernel_counter("captured")?, 1);
    let labels = [("reporter", "waypoint"), ("response_code", "200")];
    lab.wait_for_sum("istio_requests_total", &labels, 20)
});

story!(the_server_learns_who_asked, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let call = lab.from("web").to("reviews");
    let forged =
        call.header("x-forwarded-client-cert", "By=forged").header("x-forwarded-for", "1.2.3.4");
    let reply = lab.through_waypoint(&forged)?.reply;
    let client = lab.pod_address("web")?.ip();
    assert_eq!(reply.server_got("x-forwarded-for")?, Some(format!("1.2.3.4,{client}")));
    let identity = reply.server_got("x-forwarded-client-cert")?.unwrap_or_default();
    assert!(!identity.contains("forged"), "{identity}");
    assert!(reply.server_got("x-request-id")?.is_some(), "{}", reply.text());
    Ok(())
});

story!(a_request_id_is_kept, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let visit =
        lab.through_waypoint(&lab.from("web").to("reviews").header("x-request-id", "mine"))?;
    assert_eq!(visit.reply.server_got("x-request-id")?.as_deref(), Some("mine"));
    assert_eq!(visit.logged("request_id"), "mine");
    Ok(())
});

story!(http_is_recognised_where_nothing_is_declared, |lab| {
    let service = Service::new("shop", "reviews").port("web", 80, SERVER_PORT);
    let lab = shop_behind_waypoint(lab).service(service).start()?;
    let visit = lab.through_waypoint(&lab.from("web").to("reviews"))?;
    assert_eq!(visit.logged("protocol"), "HTTP/1.1");
    Ok(())
});

story!(what_is_declared_as_tcp_is_not_looked_into, |lab| {
    let service = Service::new("shop", "reviews").port("tcp-web", 80, SERVER_PORT);
    let lab = shop_behind_waypoint(lab).service(service).start()?;
    let call = lab.from("web").to("reviews");
    lab.opaque_through_waypoint(&call, |stream| {
        let reply = Connection::over(stream).exchange(call.request())?;
        ensure!(reply.server_got("x-request-id")?.is_none(), "{}", reply.text());
        Ok(())
    })?;
    Ok(())
});

story!(http2_with_prior_knowledge_passes, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let url = lab.from("web").to("reviews").path("/two").url()?;
    let arguments = ["-sS", "-g", "--http2-prior-knowledge", "-w", "%{http_version}", &url];
    let output = lab.from("web").run("curl", &arguments)?;
    assert!(output.contains("\"name\":\"reviews-v1\""), "{output}");
    assert!(output.ends_with('2'), "{output}");
    let line = lab.wait_for_line("HTTP/2 request", |line| line["path"] == "/two")?;
    assert_eq!(line["protocol"], "HTTP/2");
    assert_eq!(line["response_code"], 200);
    assert_eq!(lab.kernel_counter("captured")?, 1);
    Ok(())
});

story!(a_websocket_passes, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let call = lab.from("web").to("reviews").path("/ws");
    let (mut socket, answer) = tungstenite::client("ws://reviews/ws", call.connect()?)?;
    assert_eq!(answer.status(), 101);
    for message in ["hello", "again"] {
        socket.send(tungstenite::Message::text(message))?;
        assert_eq!(socket.read()?, tungstenite::Message::text(message));
    }
    socket.close(None)?;
    while socket.read().is_ok() {}
    drop(socket);
    let line = lab.wait_for_line("upgrade", |line| line["path"] == "/ws")?;
    assert_eq!(line["response_code"], 101);
    assert_eq!(lab.kernel_counter("captured")?, 1);
    Ok(())
});

story!(a_protocol_in_which_the_server_speaks_first_passes, |lab| {
    let lab = shop_behind_waypoint(lab)
        .pod(Pod::new("shop", "mail-0").label("app", "mail").serves(Protocol::Banner, 2525))
        .service(Service::new("shop", "mail").port("post", 25, 2525))
        .start()?;
    let line = lab.opaque_through_waypoint(&lab.from("web").to("mail"), |stream| {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        ensure!(line == "220 mail-0 ready\r\n", "{line:?}");
        (&stream).write_all(b"hello\r\nQUIT\r\n")?;
        let mut rest = String::new();
        reader.read_to_string(&mut rest)?;
        ensure!(rest == "mail-0: hello\r\nmail-0: QUIT\r\n", "{rest:?}");
        Ok(())
    })?;
    assert_eq!(line["bytes_received"], 13);
    Ok(())
});

story!(bytes_of_an_unknown_protocol_pass_and_halves_close_apart, |lab| {
    let lab = shop_behind_waypoint(lab)
        .pod(Pod::new("shop", "echo-0").label("app", "echo").serves(Protocol::Echo, 7007))
        .service(Service::new("shop", "echo").port("tcp-echo", 7, 7007))
        .start()?;
    lab.opaque_through_waypoint(&lab.from("web").to("echo"), |mut stream| {
        stream.write_all(b"\x00\x01 not HTTP")?;
        stream.shutdown(Shutdown::Write)?;
        let mut all = Vec::new();
        stream.read_to_end(&mut all)?;
        ensure!(all == b"\x00\x01 not HTTP", "{all:?}");
        Ok(())
    })?;
    Ok(())
});

story!(a_slow_reader_of_a_large_answer_costs_no_memory, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    let before = lab.agent_process()?.resident_bytes()?;
    let call = lab.from("web").to("reviews").path(&format!("/bytes?n={LARGE}"));
    let mut live = call.open()?;
    let request = call.request().clone();
    live.send(&request)?;
    assert_eq!(live.read_head()?.status, 200);
    // Nothing is read before the kernel's buffers and ours must be full on both sides.
    wait_until_full(&mut lab)?;
    let mut grown = 0;
    let received = read_chunks(live.stream(), |_| {
        let now = lab.agent_process()?.resident_bytes()?;
        grown = grown.max(now.saturating_sub(before));
        Ok(())
    })?;
    assert_eq!(received, LARGE);
    assert!(grown < MEMORY_LIMIT, "{grown} bytes more than before");
    Ok(())
});

story!(a_slow_reader_of_a_large_request_costs_no_memory, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    let before = lab.agent_process()?.resident_bytes()?;
    let length = LARGE.to_string();
    let call = lab.from("web").to("reviews").method("POST").path("/upload?pause_us=500");
    let request = call.header("content-length", &length).request().clone();
    let mut live = lab.from("web").to("reviews").open()?;
    live.send(&request)?;
    let chunk = vec![b'u'; CHUNK];
    let mut grown = 0;
    for _ in 0..LARGE / CHUNK {
        live.stream().get_mut().write_all(&chunk)?;
        let now = lab.agent_process()?.resident_bytes()?;
        grown = grown.max(now.saturating_sub(before));
    }
    let reply = live.finish()?;
    assert_eq!(reply.json()?["received"], LARGE);
    assert!(grown < MEMORY_LIMIT, "{grown} bytes more than before");
    Ok(())
});

/// Waits until the memory of the agent has not changed for a while.
fn wait_until_full(lab: &mut Lab) -> Result<()> {
    let mut last = 0;
    let mut same = 0;
    waypoint_tests::lab::wait::until_true(
        "a stalled transfer",
        waypoint_tests::lab::wait::SOON,
        || {
            let now = lab.agent_process()?.resident_bytes()?;
            same = if now == last { same + 1 } else { 0 };
            last = now;
            Ok(same > 20)
        },
    )
}

/// Reads a chunked body to its end.
fn read_chunks(
    stream: &mut impl BufRead,
    mut after_each: impl FnMut(usize) -> Result<()>,
) -> Result<usize> {
    let mut total = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim_end(), 16).context("a chunk's length")?;
        let mut chunk = vec![0; length + 2];
        stream.read_exact(&mut chunk)?;
        total += length;
        if length == 0 {
            return Ok(total);
        }
        after_each(total)?;
        thread::yield_now();
    }
}

const LARGE: usize = 100 * 1024 * 1024;
const CHUNK: usize = 64 * 1024;
const MEMORY_LIMIT: u64 = 16 * 1024 * 1024;
