use std::net::TcpListener;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::telemetry::{admin::serve_status, readiness::Readiness};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_status_endpoint_says_is_the_answer() {
    let readiness = Readiness::new();
    let gate = readiness.gate("data path");
    let path = std::env::temp_dir().join(format!("waypoint-probe-{}.sock", std::process::id()));
    for address in [AdminAddress::Unix(path), AdminAddress::Tcp(([127, 0, 0, 1], 0).into())] {
        gate.close("not yet");
        let shutdown = CancellationToken::new();
        let serving = serve_status(&address, readiness.clone(), shutdown.clone()).unwrap();
        let asked = async |page: &'static str| {
            let address = serving.address.clone();
            tokio::task::spawn_blocking(move || ask(&address, page).unwrap()).await.unwrap()
        };
        let closed = asked("/healthz/ready").await;
        assert!(!closed.good && closed.text.ends_with("data path: not yet\n"), "{closed:?}");
        assert!(asked("/healthz/live").await.good);
        gate.open();
        assert!(asked("/healthz/ready").await.good);
        shutdown.cancel();
        serving.ended.await.unwrap();
    }
}

#[test]
fn who_does_not_answer_is_named() {
    let nowhere: AdminAddress = "unix:/no/such/socket".parse().unwrap();
    assert!(ask(&nowhere, "/").unwrap_err().to_string().contains("unix:/no/such/socket"));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = AdminAddress::Tcp(listener.local_addr().unwrap());
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]).unwrap();
        stream.write_all(b"220 mail.example ESMTP\r\n\r\n").unwrap();
    });
    assert!(ask(&address, "/").is_err());
    other.join().unwrap();
}
