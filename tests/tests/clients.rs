//! What applications and tools of others do through a waypoint: WebSocket of the Python library,
//! over HTTP/1 and over HTTP/2, gRPC-Web of gRPC's own client, curl, nghttp, h2load, slowhttptest.

use std::{
    net::{SocketAddr, TcpStream},
    path::Path,
};

use anyhow::{Result, ensure};
use serde_json::Value;
use waypoint_tests::{
    lab::{
        Lab, LabBuilder, Object, Pod, Process, Service,
        wait::{self, SOON},
    },
    node_js, python, story,
    story::shop_behind_waypoint,
};

#[path = "clients/tools.rs"]
mod tools;

story!(a_websocket_library_finds_everything_as_it_should_be, |lab| {
    let lab = with_server(lab, "http-chat").start()?;
    let _server = serve(&lab, "ws_server.py")?;
    let told = client(&lab, "ws_client.py", &[&url(&lab, "ws", "/chat")?])?;
    let wanted =
        ["repeats", "many at once", "closed by the server", "closed by the client", "cut off"];
    ensure!(told.lines().eq(wanted), "{told}");
    let line = lab.wait_for_line("a conversation", |line| line["path"] == "/chat")?;
    ensure!((&line["response_code"], &line["method"]) == (&101.into(), &"GET".into()), "{line}");
    Ok(())
});

story!(a_websocket_over_http_2_reaches_a_server_of_http_1, |lab| {
    let lab = with_server(lab, "http-chat").start()?;
    let _server = serve(&lab, "ws_server.py")?;
    let told = over_http2(&lab)?;
    ensure!(told == "over h2\n", "{told}");
    let line = lab.wait_for_line("the conversation", |line| line["path"] == "/over-h2")?;
    ensure!(line["response_code"] == 101 && line["protocol"] == "HTTP/2", "{line}");
    Ok(())
});

story!(a_websocket_reaches_a_server_of_http_2_by_either_version, |lab| {
    let lab = with_server(lab, "http2-chat").start()?;
    let _server = serve(&lab, "ws_h2_server.py")?;
    let told = client(&lab, "ws_version.py", &[&url(&lab, "ws", "/chat")?])?;
    ensure!(told == "reached by 2\n", "{told}");
    let told = over_http2(&lab)?;
    ensure!(told == "over h2\n", "{told}");
    let line = lab.wait_for_line("the conversation", |line| line["path"] == "/over-h2")?;
    ensure!(line["response_code"] == 101 && line["protocol"] == "HTTP/2", "{line}");
    Ok(())
});

story!(a_page_calls_a_grpc_server, |lab| {
    let lab = with_server(lab, "grpc").start()?;
    let modules = node_js::grpc_web()?;
    let _server = serve(&lab, "grpc_server.py")?;
    let modules = modules.display().to_string();
    let script = script("grpc_web.js");
    let url = url(&lab, "http", "")?;
    let told = lab.from("web").run("node", &[&script, &modules, &url])?;
    ensure!(told == "text\nbinary\n", "{told}");
    let late = |line: &Value| line["path"] == "/test.Test/FailLate";
    let line = lab.wait_for_line("the last call", late)?;
    ensure!(line["response_code"] == 200 && line["protocol"] == "HTTP/1.1", "{line}");
    let not_found = [("request_protocol", "grpc"), ("grpc_response_status", "5")];
    lab.wait_for_sum("istio_requests_total", &not_found, 2)
});

/// The shop with the pod `app-0`, for a server of a story, behind a port of this name.
fn with_server(lab: LabBuilder, port: &str) -> LabBuilder {
    shop_behind_waypoint(lab)
        .pod(Pod::new("shop", SERVER).label("app", "app"))
        .service(Service::new("shop", SERVICE).port(port, 80, SERVER_PORT))
}

/// Starts a script in the server's pod, and waits until it listens.
fn serve(lab: &Lab, name: &str) -> Result<Process> {
    let python = python::with_clients()?;
    let address = SocketAddr::new(lab.pod_address(SERVER)?.ip(), SERVER_PORT);
    let (ip, port) = (address.ip().to_string(), SERVER_PORT.to_string());
    let netns = lab.from(SERVER).netns()?;
    let logs = lab.name().directory();
    let mut server = Process::start(netns, SERVER, &logs, &python, &[&script(name), &ip, &port])?;
    wait::until_true(&format!("{name} on {address}"), SOON, || {
        server.is_alive()?;
        netns.within(|| Ok(TcpStream::connect(address).is_ok()))
    })?;
    Ok(server)
}

/// Runs a script in the client's pod, to its end.
fn client(lab: &Lab, name: &str, arguments: &[&str]) -> Result<String> {
    let python = python::with_clients()?.display().to_string();
    let script = script(name);
    let all = [&[script.as_str()], arguments].concat();
    lab.from(CLIENT).run(&python, &all)
}

/// A WebSocket over HTTP/2.
fn over_http2(lab: &Lab) -> Result<String> {
    let address = lab.from(CLIENT).to(SERVICE).address()?;
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    client(lab, "ws_h2_client.py", &[&ip, &port, SERVICE])
}

/// A URL of the Service.
fn url(lab: &Lab, scheme: &str, path: &str) -> Result<String> {
    let address = lab.from(CLIENT).to(SERVICE).address()?;
    Ok(format!("{scheme}://{address}{path}"))
}

/// The path of a script.
fn script(name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/clients");
    directory.join(name).display().to_string()
}

const CLIENT: &str = "web";
const SERVER: &str = "app-0";
const SERVICE: &str = "app";
const SERVER_PORT: u16 = 9000;
