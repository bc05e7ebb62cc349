//! What the kernel side costs: the latency of a small ping-pong between two pods, in three ways.
//!
//! Client, server and waypointd share one CPU, so that no run depends on where the scheduler put
//! them. The ways take turns, so that what drifts on the machine drifts for all of them.
//!
//! **Invariant:** the first two ways are the same connection, to the same address, between the same
//! pods; only our programs come and go.

mod ca;
pub mod hbone;
pub mod l7;
mod sample;
pub mod sync;
mod usage;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::lab::{Family, Gateway, Lab, Namespace, Object, Pod, Process, Service, command};
use sample::{Report, Way};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How often each way is measured.
    pub rounds: usize,
    /// Messages of one measurement.
    pub messages: usize,
    /// The IP family.
    pub family: Family,
}

/// Measures, and says what was seen.
pub fn run(settings: Settings) -> Result<Report> {
    let mut lab = Lab::new(settings.family)
        .namespace(Namespace::new(NAMESPACE))
        .gateway(Gateway::new(NAMESPACE, "waypoint"))
        .pod(Pod::new(NAMESPACE, "ping"))
        .pod(Pod::new(NAMESPACE, "pong").label("app", "pong"))
        .service(Service::new(NAMESPACE, "pong").port("tcp", PORT, PORT).uses("waypoint"))
        .start()?;
    let _server = serve(&lab)?;
    pin_agent(&mut lab)?;
    let virtual_address = lab.service_address("pong")?;
    let pod_address = SocketAddr::new(lab.pod_address("pong")?.ip(), PORT);
    let mut report = Report::default();
    for round in 0..settings.rounds {
        eprintln!("round {} of {}", round + 1, settings.rounds);
        lab.unlabel("Namespace", NAMESPACE, ENROL)?;
        report.add(Way::Bare, ping(&lab, pod_address, settings.messages)?);
        lab.label("Namespace", NAMESPACE, ENROL, "ambient")?;
        report.add(Way::LeftAlone, ping(&lab, pod_address, settings.messages)?);
        let before = lab.kernel_counter("captured")?;
        report.add(Way::Captured, ping(&lab, virtual_address, settings.messages)?);
        let captured = lab.kernel_counter("captured")? - before;
        anyhow::ensure!(captured == 1, "{captured} connections were captured instead of one");
    }
    Ok(report)
}

/// Starts the server in its pod, for both families.
fn serve(lab: &Lab) -> Result<Process> {
    let (netns, logs) = (lab.from("pong").netns()?, lab.name().directory());
    let shop = command::product("waypoint-shop")?.display().to_string();
    let listen = ["-c", CPU, &shop, "pingpong", "--listen", &format!("[::]:{PORT}")];
    let mut server = Process::start(netns, "pong", &logs, Path::new("taskset"), &listen)?;
    server.wait_for("listening on")?;
    Ok(server)
}

/// Puts every thread of waypointd on the CPU of the others.
fn pin_agent(lab: &mut Lab) -> Result<()> {
    let agent = lab.agent_process()?.id().to_string();
    command::run("taskset", &["-a", "-c", "-p", CPU, &agent])?;
    Ok(())
}

/// The median time of an answer, in microseconds.
fn ping(lab: &Lab, address: SocketAddr, messages: usize) -> Result<f64> {
    let shop = command::product("waypoint-shop")?.display().to_string();
    let (address, messages) = (address.to_string(), messages.to_string());
    let client = ["-c", CPU, &shop, "pingpong", "--connect", &address, "--rounds", &messages];
    let output = lab.from("ping").run("taskset", &client)?;
    let times: Value = serde_json::from_str(&output).context("the client's times")?;
    times.get("p50_us").and_then(Value::as_f64).with_context(|| format!("no p50 in {output}"))
}

const NAMESPACE: &str = "bench";
const ENROL: &str = "istio.io/dataplane-mode";
const PORT: u16 = 7000;
const CPU: &str = "0";
