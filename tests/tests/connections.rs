//! What routes do with whole connections: TCPRoutes by weight, TLSRoutes by the server's name,
//! asked with plain sockets and with OpenSSL.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use waypoint_tests::{
    lab::{
        Family, Lab, LabBuilder, Object, Pod, Process, Service,
        wait::{self, SOON},
    },
    shop::Protocol,
    story,
    story::{shop_behind_waypoint, two_nodes},
};

/// Servers `db-1` and `db-2` that greet who comes, each behind a Service of its own, and the
/// Service `db` in front of the first.
fn databases(lab: LabBuilder) -> LabBuilder {
    let server = |app: &str| {
        Pod::new("shop", &format!("{app}-0")).label("app", app).serves(Protocol::Banner, 5432)
    };
    let service = |name: &str, app: &str| {
        Service::new("shop", name).select("app", app).port("tcp-sql", 5432, 5432)
    };
    shop_behind_waypoint(lab)
        .pod(server("db-1"))
        .pod(server("db-2"))
        .service(service("db-1", "db-1"))
        .service(service("db-2", "db-2"))
        .service(service("db", "db-1"))
}

/// A TCPRoute of `db` to these backends.
fn tcp_route(backends: &str) -> String {
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {{name: db, namespace: shop}}
spec:
  parentRefs: [{{group: '', kind: Service, name: db, port: 5432}}]
  rules: [{{backendRefs: [{backends}]}}]
"
    )
}

/// A connection to `db`, and who greets on it.
fn greeted(lab: &Lab) -> Result<(BufReader<TcpStream>, String)> {
    let stream = lab.from("web").to("db").connect()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let name = line.strip_prefix("220 ").and_then(|rest| rest.strip_suffix(" ready\r\n"));
    let name = name.with_context(|| format!("greeted with {line:?}"))?.to_owned();
    Ok((stream, name))
}

story!(a_tcp_route_shares_connections_by_weight, |lab| {
    let backends = "{name: db-1, port: 5432, weight: 3}, {name: db-2, port: 5432, weight: 1}, \
                    {name: reviews, port: 80, weight: 0}";
    let lab = databases(lab).file("route.yaml", &tcp_route(backends)).start()?;
    let mut counts = BTreeMap::new();
    for _ in 0..100 {
        *counts.entry(greeted(&lab)?.1).or_insert(0) += 1;
    }
    let first = counts.get("db-1-0").copied().unwrap_or_default();
    ensure!((55..=92).contains(&first) && counts.len() == 2, "{counts:?}");
    let line = lab.wait_for_line("of the route", |line| line["route_name"] == "shop.db.0")?;
    assert_eq!(line["destination_service"], "shop/db");
    assert_eq!(lab.kernel_counter("captured")?, 100);
    Ok(())
});

story!(a_tcp_route_that_is_withdrawn_leaves_its_connections_alone, |lab| {
    let second = tcp_route("{name: db-2, port: 5432}");
    let mut lab = databases(lab).file("route.yaml", &second).start()?;
    let (mut live, by) = greeted(&lab)?;
    assert_eq!(by, "db-2-0");
    lab.withdraw("route.yaml")?;
    assert_eq!(greeted(&lab)?.1, "db-1-0");
    live.get_mut().write_all(b"still there\r\nQUIT\r\n")?;
    let mut rest = String::new();
    live.read_to_string(&mut rest)?;
    assert_eq!(rest, "db-2-0: still there\r\ndb-2-0: QUIT\r\n");
    lab.apply("route.yaml", &second)?;
    assert_eq!(greeted(&lab)?.1, "db-2-0");
    Ok(())
});

story!(connections_to_a_backend_that_is_not_there_are_reset, |lab| {
    let nobody = tcp_route("{name: nobody, port: 5432}");
    let lab = databases(lab).file("route.yaml", &nobody).start()?;
    ensure!(greeted(&lab).is_err());
    let line = lab.wait_for_line("of the reset", |line| line["response_flags"] == "NC")?;
    assert_eq!(line["upstream_cluster"], "BlackHoleCluster");
    assert_eq!(line["blame"], "waypoint");
    let told = lab.analyze()?;
    ensure!(told.contains("backend(nobody.shop.svc.cluster.local) not found"), "{told}");
    Ok(())
});

/// Where servers speak TLS.
const TLS_PORT: u16 = 8443;

/// Pods `one` and `two` on the second node, and the Service `secure` in front of
/// the first.
fn secured(lab: LabBuilder) -> LabBuilder {
    let pod = |name: &str| Pod::new("shop", name).label("app", name);
    let service = |name: &str| Service::new("shop", name).port("tls", 443, TLS_PORT);
    two_nodes(lab)
        .pod(pod("one").on_node("n2"))
        .pod(pod("two").on_node("n2"))
        .service(service("one"))
        .service(service("two"))
        .service(Service::new("shop", "secure").select("app", "one").port("tls", 443, TLS_PORT))
}

/// A server of OpenSSL in a pod, and a line of its certificate.
fn serve_tls(lab: &Lab, pod: &str) -> Result<(Process, String)> {
    let admin = lab.agent_of(pod)?.admin();
    let directory = admin.parent().context("no directory")?;
    let made = rcgen::generate_simple_self_signed([format!("{pod}.example.test")])?;
    let [key, certificate] = ["key", "pem"].map(|kind| directory.join(format!("{pod}.{kind}")));
    fs::write(&key, made.signing_key.serialize_pem())?;
    fs::write(&certificate, made.cert.pem())?;
    let family = if lab.family() == Family::V4 { "-4" } else { "-6" };
    let port = TLS_PORT.to_string();
    let (key, certificate) = (key.display().to_string(), certificate.display().to_string());
    let arguments =
        ["s_server", family, "-accept", &port, "-key", &key, "-cert", &certificate, "-www"];
    let netns = lab.from(pod).netns()?;
    let openssl = Path::new("openssl");
    let process = Process::start(netns, &format!("tls-{pod}"), directory, openssl, &arguments)?;
    let address = SocketAddr::new(lab.pod_address(pod)?.ip(), TLS_PORT);
    wait::until_true("the server listens", SOON, || {
        let connect = || Ok(TcpStream::connect_timeout(&address, PATIENCE).is_ok());
        netns.within(connect)
    })?;
    let line = made.cert.pem().lines().nth(3).context("a short certificate")?.trim().to_owned();
    Ok((process, line))
}

/// What OpenSSL's client says of a connection to `secure` that asks for a server.
fn asked(lab: &Lab, server: &str) -> Result<String> {
    let address = lab.from("web").to("secure").address()?.to_string();
    let name: &[&str] =
        if server.is_empty() { &["-noservername"] } else { &["-servername", server] };
    lab.from("web").run("openssl", &[&["s_client", "-connect", &address], name].concat())
}

/// A TLSRoute of `secure`.
fn tls_route(name: &str, hostname: &str, backend: &str) -> String {
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {{name: {name}, namespace: shop}}
spec:
  parentRefs: [{{group: '', kind: Service, name: secure}}]
  hostnames: ['{hostname}']
  rules: [{{backendRefs: [{{name: {backend}, port: 443}}]}}]
"
    )
}

story!(a_tls_route_goes_by_the_name_of_the_server, |lab| {
    let routes = [tls_route("one", "one.example.test", "one"), tls_route("any", "*.test", "two")];
    let mut lab = secured(lab).file("routes.yaml", &routes.join("---")).start()?;
    let (_first, one) = serve_tls(&lab, "one")?;
    let (_second, two) = serve_tls(&lab, "two")?;
    for (server, certificate) in
        [("one.example.test", &one), ("ONE.example.TEST", &one), ("two.example.test", &two)]
    {
        let told = asked(&lab, server)?;
        ensure!(told.contains(certificate), "{server}: {told}");
    }
    for server in ["one.example.org", ""] {
        let told = asked(&lab, server);
        ensure!(told.is_err(), "{server}: {told:?}");
    }
    lab.withdraw("routes.yaml")?;
    let told = asked(&lab, "two.example.test")?;
    ensure!(told.contains(&one), "{told}");
    Ok(())
});

/// Longer than a busy machine needs for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
