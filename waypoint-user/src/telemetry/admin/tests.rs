use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::*;
use crate::telemetry::{applied, logging::tests::detached};

fn at(admin: &AdminAddress) -> Addresses {
    Addresses { admin: admin.clone(), ..Addresses::default() }
}

fn content(readiness: &Readiness, level: LogLevel) -> Content {
    let config = Box::new(|| "{\"services\":1}".to_owned());
    let registry = Registry::new();
    registry.limit("anything").hit();
    let flows = Ok(Hub::new());
    let answer = |query: &str| query::value(query, "a").ok_or_else(|| "no a".to_owned());
    let question = Question { path: "/echo", about: "a", answer: Box::new(answer) };
    let questions = vec![question];
    Content {
        registry,
        readiness: readiness.clone(),
        level,
        applied: None,
        flows,
        config,
        questions,
    }
}

async fn ask(address: &AdminAddress, request: &str) -> String {
    let request = format!("{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    match address {
        AdminAddress::Tcp(address) => {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.read_to_string(&mut answer).await.unwrap();
        }
        AdminAddress::Unix(path) => {
            let mut stream = UnixStream::connect(path).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.read_to_string(&mut answer).await.unwrap();
        }
    }
    answer
}

#[tokio::test]
async fn the_endpoint_shows_what_it_is_given() {
    let readiness = Readiness::new();
    let gate = readiness.gate("data path");
    let (_filter, level) = detached("info");
    let local = AdminAddress::Tcp("127.0.0.1:0".parse().unwrap());
    let shutdown = CancellationToken::new();
    let serving = serve(&at(&local), content(&readiness, level.clone()), shutdown.clone()).unwrap();
    let address = &serving.address;

    let closed = ask(address, "GET /healthz/ready").await;
    assert!(closed.starts_with("HTTP/1.1 503"), "{closed}");
    assert!(closed.ends_with("data path: starting\n"), "{closed}");
    gate.open();
    assert!(ask(address, "GET /healthz/ready").await.starts_with("HTTP/1.1 200"));

    for path in ["/metrics", "/stats/prometheus"] {
        let metrics = ask(address, &format!("GET {path}")).await;
        assert!(metrics.contains("waypoint_limit_hits_total{limit=\"anything\"} 1"), "{metrics}");
    }
    assert!(ask(address, "GET /config_dump").await.ends_with("{\"services\":1}"));
    assert!(ask(address, "GET /").await.contains("/healthz/ready"));
    assert!(ask(address, "GET /").await.contains("/echo"));
    assert!(ask(address, "GET /echo?a=b%2Fc").await.ends_with("\r\n\r\nb/c"));
    assert!(ask(address, "GET /echo").await.starts_with("HTTP/1.1 400"));
    assert!(ask(address, "GET /version").await.contains("{\"version\":\""));
    assert!(ask(address, "GET /nowhere").await.starts_with("HTTP/1.1 404"));
    assert!(ask(address, "POST /metrics").await.starts_with("HTTP/1.1 405"));

    assert!(ask(address, "GET /logging").await.ends_with("level: info\n"));
    assert!(ask(address, "POST /logging?level=debug").await.ends_with("level: debug\n"));
    assert!(ask(address, "POST /logging?level=a=b=c").await.starts_with("HTTP/1.1 400"));
    assert_eq!(level.current(), "debug");

    shutdown.cancel();
    timeout(Duration::from_secs(10), serving.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn metrics_and_status_have_addresses_of_their_own_that_show_nothing_else() {
    let directory = std::env::temp_dir();
    let path = |page| directory.join(format!("waypoint-{page}-{}.sock", std::process::id()));
    let unix = |page| AdminAddress::Unix(path(page));
    let (admin, metrics, status) = (unix("all"), unix("metrics"), unix("status"));
    let addresses = Addresses {
        admin: admin.clone(),
        metrics: Some(metrics.clone()),
        status: Some(status.clone()),
    };
    let readiness = Readiness::new();
    let gate = readiness.gate("data path");
    let (_filter, level) = detached("info");
    let shutdown = CancellationToken::new();
    let serving = serve(&addresses, content(&readiness, level), shutdown.clone()).unwrap();

    let code = async |address: &AdminAddress, request: &str| -> u16 {
        ask(address, request).await.split(' ').nth(1).unwrap().parse().unwrap()
    };
    for page in ["/metrics", "/stats/prometheus"] {
        let metrics_of = ask(&metrics, &format!("GET {page}")).await;
        assert!(metrics_of.contains("limit=\"anything\""), "{metrics_of}");
        assert_eq!(code(&status, &format!("GET {page}")).await, 404);
        assert_eq!(code(&metrics, &format!("POST {page}")).await, 405);
    }
    for page in ["/", "/config_dump", "/flows", "/logging"] {
        for address in [&metrics, &status] {
            assert_eq!(code(address, &format!("GET {page}")).await, 404, "{page}");
        }
    }
    assert_eq!(code(&metrics, "GET /healthz/ready").await, 404);
    for address in [&admin, &status] {
        assert_eq!(code(address, "GET /healthz/ready").await, 503);
        assert_eq!(code(address, "GET /healthz/live").await, 200);
        assert_eq!(code(address, "POST /healthz/live").await, 405);
    }
    gate.open();
    assert_eq!(code(&status, "GET /healthz/ready").await, 200);

    shutdown.cancel();
    timeout(Duration::from_secs(10), serving.ended).await.unwrap().unwrap();
    assert!(["all", "metrics", "status"].iter().all(|page| !path(page).exists()));
}

#[tokio::test]
async fn an_address_of_both_families_takes_both() {
    let every = "[::]:0".parse().unwrap();
    let shutdown = CancellationToken::new();
    let serving = serve_status(&every, Readiness::new(), shutdown.clone()).unwrap();
    let AdminAddress::Tcp(bound) = serving.address else { panic!("{}", serving.address) };
    let v4 = AdminAddress::Tcp(([127, 0, 0, 1], bound.port()).into());
    assert!(ask(&v4, "GET /healthz/ready").await.starts_with("HTTP/1.1 200"));
    shutdown.cancel();
    timeout(Duration::from_secs(10), serving.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_unix_socket_is_replaced_when_stale_and_removed_at_the_end() {
    let path = std::env::temp_dir().join(format!("waypoint-admin-{}.sock", std::process::id()));
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let address: AdminAddress = format!("unix:{}", path.display()).parse().unwrap();
    let (_filter, level) = detached("info");
    let shutdown = CancellationToken::new();
    let readiness = Readiness::new();
    let serving =
        serve(&at(&address), content(&readiness, level.clone()), shutdown.clone()).unwrap();
    assert!(ask(&address, "GET /healthz/ready").await.starts_with("HTTP/1.1 200"));

    let second = serve(&at(&address), content(&readiness, level), shutdown.clone());
    assert!(second.unwrap_err().to_string().contains("in use"));

    shutdown.cancel();
    timeout(Duration::from_secs(10), serving.ended).await.unwrap().unwrap();
    assert!(!path.exists());
}

#[test]
fn addresses_are_sockets_or_paths() {
    let parsed = "127.0.0.1:15000".parse::<AdminAddress>().unwrap();
    assert_eq!(parsed, AdminAddress::default());
    assert_eq!("unix:/a".parse::<AdminAddress>().unwrap().to_string(), "unix:/a");
    for wrong in ["unix:", "15000", "localhost"] {
        assert!(wrong.parse::<AdminAddress>().is_err(), "{wrong:?} was accepted");
    }
}

#[tokio::test]
async fn a_waypoint_says_what_it_applies() {
    let (_filter, level) = detached("info");
    let local = AdminAddress::Tcp("127.0.0.1:0".parse().unwrap());
    let shutdown = CancellationToken::new();
    let silent = serve(&at(&local), content(&Readiness::new(), level.clone()), shutdown.clone());
    let answer = ask(&silent.unwrap().address, "GET /applied").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");

    let (mut publisher, applied) = applied::channel();
    let content = Content { applied: Some(applied), ..content(&Readiness::new(), level) };
    let serving = serve(&at(&local), content, shutdown.clone()).unwrap();
    publisher.show(|version| format!("first {version}"));
    let first = ask(&serving.address, "GET /applied").await;
    let version = first.rsplit_once("first ").unwrap().1.trim().trim_end_matches("\r\n0");
    let version = version.split_whitespace().next().unwrap().to_owned();
    let request = format!("GET /applied?after={version}");
    let waiting = ask(&serving.address, &request);
    let publish = async { publisher.show(|version| format!("second {version}")) };
    let (second, ()) = tokio::join!(waiting, publish);
    assert!(second.contains("second "), "{second}");
    shutdown.cancel();
    serving.ended.await.unwrap();
}

#[test]
fn an_address_stands_before_its_port_with_brackets_or_without() {
    let cases = [
        ("127.0.0.1:15020", Some("127.0.0.1:15020")),
        ("[fd00::1]:15020", Some("[fd00::1]:15020")),
        ("fd00::1:15020", Some("[fd00::1]:15020")),
        ("unix:/run/a.sock", Some("unix:/run/a.sock")),
        ("fd00::1", None),
        ("15020", None),
        (":15020", None),
    ];
    for (text, expected) in cases {
        let read = text.parse::<AdminAddress>().ok().map(|address| address.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }
}
