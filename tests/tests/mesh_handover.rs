//! A process that holds a data path, succeeded by another one while connections come and go.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use waypoint_common::ABI;
use waypoint_tests::{
    lab::{
        Lab, LabBuilder, Object, Pod, Process, Service,
        wait::{self, SOON},
    },
    shop::Protocol,
    story,
    story::{none_fails_under_load, shop, shop_behind_waypoint, two_nodes},
};

#[path = "data_path/build.rs"]
mod build;

fn ended_well(mut former: Process) -> Result<()> {
    let status = former.wait(SOON * 4)?;
    ensure!(status.success(), "the former process ended with {status}");
    Ok(())
}

story!(the_client_s_agent_is_replaced_and_no_request_fails, |lab| {
    let mut lab = two_nodes(lab).start()?;
    none_fails_under_load(&mut lab, |lab| lab.replace_agent_on("n1"))?;
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    Ok(())
});

story!(the_server_s_agent_is_replaced_and_no_request_fails, |lab| {
    let mut lab = two_nodes(lab).start()?;
    none_fails_under_load(&mut lab, |lab| lab.replace_agent_on("n2"))?;
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    Ok(())
});

story!(agents_are_replaced_by_those_of_another_build_and_no_request_fails, |lab| {
    let mut lab = two_nodes(lab).start()?;
    none_fails_under_load(&mut lab, |lab| {
        for node in ["n1", "n2"] {
            let pins = lab.agent_on(node)?.settings().name.pin_dir();
            build::pretend_another_build(&pins);
            lab.replace_agent_on(node)?;
            ensure!(lab.agent_on(node)?.log()?.contains(REPLACED), "the programs are the same");
        }
        Ok(())
    })?;
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    Ok(())
});

story!(an_agent_is_replaced_again_and_again, |lab| {
    let mut lab = two_nodes(lab).start()?;
    none_fails_under_load(&mut lab, |lab| {
        for _ in 0..3 {
            lab.replace_agent_on("n1")?;
        }
        Ok(())
    })
});

story!(a_standalone_process_is_replaced_and_no_request_fails, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    none_fails_under_load(&mut lab, |lab| lab.replace_agent_on("node"))?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

/// Says something over an open connection and hears it back.
fn echoes(stream: &mut TcpStream, text: &[u8]) -> Result<()> {
    stream.write_all(text)?;
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).with_context(|| String::from_utf8_lossy(text).into_owned())?;
    ensure!(back == text, "{back:?}");
    Ok(())
}

/// With an echo on the other node.
fn with_echo(lab: LabBuilder) -> LabBuilder {
    let echo = Pod::new("shop", "echo-0").label("app", "echo").serves(Protocol::Echo, 7007);
    two_nodes(lab)
        .pod(echo.on_node("n2"))
        .service(Service::new("shop", "echo").port("tcp-echo", 7, 7007))
}

story!(a_connection_that_is_open_goes_on_across_hand_overs, |lab| {
    let mut lab = with_echo(lab).start()?;
    let mut stream = lab.from("web").to("echo").connect()?;
    stream.set_read_timeout(Some(SOON))?;
    echoes(&mut stream, b"before")?;
    let client_s = lab.succeed_agent_on("n1")?;
    echoes(&mut stream, b"after the client's agent")?;
    let server_s = lab.succeed_agent_on("n2")?;
    echoes(&mut stream, b"after the server's agent")?;
    drop(stream);
    ended_well(client_s)?;
    ended_well(server_s)
});

story!(a_pod_that_left_the_mesh_keeps_its_connection_across_a_hand_over, |lab| {
    let mut lab = with_echo(lab).start()?;
    let mut stream = lab.from("web").to("echo").connect()?;
    stream.set_read_timeout(Some(SOON))?;
    echoes(&mut stream, b"enrolled")?;
    lab.edit_pod("web", |pod| pod.label("istio.io/dataplane-mode", "none"))?;
    echoes(&mut stream, b"not enrolled any more")?;
    let former = lab.succeed_agent_on("n1")?;
    // Longer than it takes to look after pods again.
    some_looks_more(&lab)?;
    echoes(&mut stream, b"after the hand-over")?;
    drop(stream);
    ended_well(former)
});

/// Waits until the data path has proven itself twice more.
fn some_looks_more(lab: &Lab) -> Result<()> {
    let probes = || lab.kernel_counter("probe");
    let before = probes()?;
    wait::until_true("self-probes", SOON, || Ok(probes()? >= before + 4))
}

/// Asks a process to hand over, as a successor would but for some fields.
fn ask(lab: &Lab, fields: &Value) -> Result<(Value, BufReader<UnixStream>)> {
    let settings = lab.agent()?.settings();
    let mut hello = json!({
        "say": "hello", "format": 1, "pid": 1, "version": "9.9.9", "abi": ABI, "node": null,
        "pin_dir": settings.name.pin_dir(), "link": settings.link, "inbound": false,
    });
    let fields = fields.as_object().context("fields")?;
    hello.as_object_mut().context("fields")?.extend(fields.clone());
    let stream = UnixStream::connect(settings.name.run_dir().join("handover.sock"))?;
    stream.set_read_timeout(Some(SOON))?;
    writeln!(&stream, "{hello}")?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok((serde_json::from_str(&line)?, reader))
}

fn ended(lab: &Lab, result: &'static str, times: u64) -> Result<()> {
    lab.wait_for_sum("waypoint_handovers_total", &[("result", result)], times)
}

story!(a_successor_of_another_kind_is_refused_and_told_why, |lab| {
    let mut lab = shop(lab).start()?;
    let pid = lab.agent_process()?.id();
    for (field, value, what) in [
        ("abi", json!(ABI + 1), format!("(pid {pid}) has data path ABI {ABI}, this one has")),
        ("node", json!("n9"), "has node no name, this one has n9".to_owned()),
        ("link", json!("wpd9"), "has link wpd0, this one has wpd9: stop it first".to_owned()),
    ] {
        let (answer, _) = ask(&lab, &json!({ field: value }))?;
        ensure!(answer["say"] == "refused", "{answer}");
        ensure!(answer["why"].as_str().is_some_and(|why| why.contains(&what)), "{answer}");
    }
    ended(&lab, "refused", 3)?;
    lab.label("Namespace", "shop", "istio.io/use-waypoint", "waypoint")?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(while_a_successor_begins_the_former_serves_and_goes_on_if_that_dies, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    let (answer, connection) = ask(&lab, &json!({}))?;
    ensure!(answer["say"] == "granted", "{answer}");
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    drop(connection);
    ended(&lab, "resumed", 1)?;
    lab.unlabel("Namespace", "shop", "istio.io/use-waypoint")?;
    lab.direct(&lab.from("web").to("reviews"))?;
    lab.replace_agent_on("node")?;
    ended(&lab, "taken", 1)?;
    lab.label("Namespace", "shop", "istio.io/use-waypoint", "waypoint")?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_successor_that_is_killed_on_its_way_harms_nobody, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    none_fails_under_load(&mut lab, |lab| {
        for _ in 0..3 {
            let (answer, connection) = ask(lab, &json!({}))?;
            ensure!(answer["say"] == "granted", "{answer}");
            drop(connection);
        }
        ended(lab, "resumed", 3)
    })
});

story!(who_hands_over_can_be_stopped_meanwhile, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    let (answer, connection) = ask(&lab, &json!({}))?;
    ensure!(answer["say"] == "granted", "{answer}");
    lab.stop_agent()?;
    drop(connection);
    lab.resume_agent()?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

/// The log of a process that put its own programs in the place of others.
const REPLACED: &str = "replaced=true";
