//! What is not HTTP crosses the mesh as well, byte for byte and half by half.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
};

use anyhow::{Result, anyhow, ensure};
use serde_json::Value;
use waypoint_tests::{
    lab::{Call, Lab, LabBuilder, Object, Pod, Service},
    shop::Protocol,
    story,
    story::two_nodes,
};

/// With a mail server that speaks first and an echo on the other node.
fn with_other_protocols(lab: LabBuilder) -> LabBuilder {
    let mail = Pod::new("shop", "mail-0").label("app", "mail").serves(Protocol::Banner, 2525);
    let echo = Pod::new("shop", "echo-0").label("app", "echo").serves(Protocol::Echo, 7007);
    two_nodes(lab)
        .pod(mail.on_node("n2"))
        .service(Service::new("shop", "mail").port("post", 25, 2525))
        .pod(echo.on_node("n2"))
        .service(Service::new("shop", "echo").port("tcp-echo", 7, 7007))
}

/// Talks over one connection, of which the waypoint must log one line without a method.
fn opaque(lab: &Lab, call: &Call<'_>, talk: impl FnOnce(TcpStream) -> Result<()>) -> Result<()> {
    let waypoint = lab.waypoint("waypoint")?;
    let lines = waypoint.access_log()?.len();
    talk(call.connect()?)?;
    let line = waypoint.wait_for_line("of the connection", lines, |line| {
        line.get("method").and_then(Value::as_str) == Some("-")
    })?;
    let client = line.get("source_workload").and_then(Value::as_str);
    ensure!(client == Some("shop/web"), "{line}");
    Ok(())
}

story!(a_server_that_speaks_first_is_heard_across_nodes, |lab| {
    let lab = with_other_protocols(lab).start()?;
    opaque(&lab, &lab.from("web").to("mail"), |stream| {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        ensure!(line == "220 mail-0 ready\r\n", "{line:?}");
        (&stream).write_all(b"hello\r\nQUIT\r\n")?;
        let mut rest = String::new();
        reader.read_to_string(&mut rest)?;
        ensure!(rest == "mail-0: hello\r\nmail-0: QUIT\r\n", "{rest:?}");
        Ok(())
    })
});

story!(halves_close_apart_across_nodes, |lab| {
    let lab = with_other_protocols(lab).start()?;
    opaque(&lab, &lab.from("web").to("echo"), |mut stream| {
        stream.write_all(b"\x00\x01 not HTTP")?;
        stream.shutdown(Shutdown::Write)?;
        let mut all = Vec::new();
        stream.read_to_end(&mut all)?;
        ensure!(all == b"\x00\x01 not HTTP", "{all:?}");
        Ok(())
    })
});

story!(many_bytes_cross_in_both_directions_at_once, |lab| {
    let lab = with_other_protocols(lab).start()?;
    opaque(&lab, &lab.from("web").to("echo"), |mut stream| {
        let mut writer = stream.try_clone()?;
        let writing = thread::spawn(move || {
            for number in 0..MEGABYTES {
                writer.write_all(&vec![number; 1 << 20])?;
            }
            writer.shutdown(Shutdown::Write)
        });
        let mut chunk = vec![0; 1 << 20];
        for number in 0..MEGABYTES {
            stream.read_exact(&mut chunk)?;
            ensure!(chunk.iter().all(|byte| *byte == number), "megabyte {number} is not itself");
        }
        ensure!(stream.read(&mut chunk)? == 0, "there is more than was sent");
        writing.join().map_err(|_| anyhow!("the writer panicked"))??;
        Ok(())
    })
});

story!(a_large_answer_crosses_whole, |lab| {
    let lab = two_nodes(lab).start()?;
    let visit = lab.across(&lab.from("web").to("reviews").path("/bytes?n=30000000"), "waypoint")?;
    assert_eq!(visit.reply.body.len(), 30_000_000);
    Ok(())
});

story!(http2_with_prior_knowledge_crosses_nodes, |lab| {
    let lab = two_nodes(lab).start()?;
    let url = lab.from("web").to("reviews").path("/two").url()?;
    let arguments = ["-sS", "-g", "--http2-prior-knowledge", "-w", "%{http_version}", &url];
    let output = lab.from("web").run("curl", &arguments)?;
    assert!(output.contains("\"name\":\"reviews-v1\""), "{output}");
    assert!(output.ends_with('2'), "{output}");
    let waypoint = lab.waypoint("waypoint")?;
    let line = waypoint.wait_for_line("of the request", 0, |line| line["path"] == "/two")?;
    assert_eq!(line["protocol"], "HTTP/2");
    Ok(())
});

story!(many_requests_share_one_connection_across_nodes, |lab| {
    let lab = two_nodes(lab).start()?;
    let call = lab.from("web").to("reviews").path("/again");
    let mut live = call.open()?;
    for _ in 0..50 {
        assert_eq!(live.exchange(call.request())?.status, 200);
    }
    Ok(())
});

const MEGABYTES: u8 = 20;
