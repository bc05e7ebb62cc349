//! What a gRPC client and server must be able to do, as gRPC's own pair of them tries it (Go's
//! `google.golang.org/grpc/interop`), with a waypoint between them.
//!
//! Left out are the cases that need TLS of the client's own or credentials of a cloud:
//! `compute_engine_creds`, `service_account_creds`, `jwt_token_creds`, `per_rpc_creds`,
//! `oauth2_auth_token`, `google_default_credentials`, `compute_engine_channel_credentials`; and
//! `pick_first_unary`, for which this server does not say who it is.

use std::net::{SocketAddr, TcpStream};

use anyhow::{Result, ensure};
use serde_json::Value;
use waypoint_tests::{
    go,
    lab::{
        Lab, LabBuilder, Object, Pod, Process, Service,
        wait::{self, SOON},
    },
    story,
    story::shop_behind_waypoint,
};

/// Every case that goes without credentials.
const CASES: [&str; 18] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "orca_per_rpc",
    "orca_oob",
    "rpc_soak",
    "channel_soak",
];

story!(grpc_clients_and_servers_get_on_in_every_case, |lab| try_every_case(lab, "grpc"));

story!(grpc_is_recognised_where_nothing_is_declared, |lab| try_every_case(lab, "calls"));

story!(a_grpc_route_takes_the_methods_that_it_matches_and_no_others, |lab| {
    let lab = shop_behind_waypoint(lab)
        .pod(Pod::new("shop", SERVER).label("app", "calls"))
        .service(
            Service::new("shop", "calls").port("a", 80, PORT).app_protocol("kubernetes.io/h2c"),
        )
        .file("route.yaml", ROUTE)
        .start()?;
    let _server = serve(&lab)?;
    try_case(&lab, "empty_unary")?;
    ensure!(try_case(&lab, "large_unary").is_err(), "no rule takes UnaryCall");
    for (method, flags) in [("EmptyCall", "-"), ("UnaryCall", "NR")] {
        let path = format!("/grpc.testing.TestService/{method}");
        lab.wait_for_line(method, |line| {
            line["path"] == path && line["response_flags"] == flags && line["protocol"] == "HTTP/2"
        })?;
    }
    Ok(())
});

/// Tries the cases, where the Service's port has this name.
fn try_every_case(lab: LabBuilder, port: &str) -> Result<()> {
    let lab = shop_behind_waypoint(lab)
        .pod(Pod::new("shop", SERVER).label("app", "calls"))
        .service(Service::new("shop", "calls").port(port, 80, PORT))
        .start()?;
    let _server = serve(&lab)?;
    let failed: Vec<String> = CASES
        .iter()
        .filter_map(|case| try_case(&lab, case).err())
        .map(|error| format!("{error:#}"))
        .collect();
    ensure!(failed.is_empty(), "{} of {} failed\n{}", failed.len(), CASES.len(), failed.join("\n"));

    // All of it passed the waypoint, as calls and not as bytes.
    for method in ["EmptyCall", "FullDuplexCall"] {
        let path = format!("/grpc.testing.TestService/{method}");
        let says = |line: &Value, field: &str, text: &str| {
            line.get(field).and_then(Value::as_str) == Some(text)
        };
        lab.wait_for_line(method, |line| {
            says(line, "path", &path) && says(line, "protocol", "HTTP/2")
        })?;
    }
    ensure!(lab.kernel_counter("captured")? >= CASES.len() as u64, "a call passed it by");
    Ok(())
}

/// Runs one case to its end.
fn try_case(lab: &Lab, case: &str) -> Result<()> {
    let (client, _) = go::grpc_interop()?;
    let address = lab.service_address("calls")?;
    let (client, case) = (client.display().to_string(), format!("--test_case={case}"));
    let host = format!("--server_host={}", address.ip());
    let port = format!("--server_port={}", address.port());
    // Soaks are asked for as often as other cases are, and load reports are asked of the server.
    let line = [DEADLINE, &client, &host, &port, &case, "--soak_iterations=20", METRICS];
    lab.from("web").run("timeout", &line).map(drop)
}

/// A server in its pod, once it can be dialled.
fn serve(lab: &Lab) -> Result<Process> {
    let (_, server) = go::grpc_interop()?;
    let netns = lab.from(SERVER).netns()?;
    let port = format!("--port={PORT}");
    let mut server = Process::start(netns, SERVER, &lab.name().directory(), &server, &[port])?;
    let address = SocketAddr::from(([127, 0, 0, 1], PORT));
    wait::until_true("server of gRPC", SOON, || {
        server.is_alive()?;
        netns.within(|| Ok(TcpStream::connect(address).is_ok()))
    })?;
    Ok(server)
}

/// Of the methods of the server one.
const ROUTE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls, namespace: shop}
spec:
  parentRefs:
  - {group: '', kind: Service, name: calls}
  rules:
  - matches:
    - method: {service: grpc.testing.TestService, method: EmptyCall}
    backendRefs: [{name: calls, port: 80}]
";
const SERVER: &str = "calls-0";
const PORT: u16 = 10_000;
/// Seconds that a case may take.
const DEADLINE: &str = "30";
/// What makes a client ask for reports of load, where a case is about them.
const METRICS: &str = "--service_config_json=\
                       {\"loadBalancingConfig\":[{\"test_backend_metrics_load_balancer\":{}}]}";
