//! A waypoint that hears of a change a moment after others.

use std::rc::Rc;

use tokio::{io::AsyncWriteExt, task::JoinHandle};

use super::{
    lab::{Backend, LOCALHOST, Lab, PATIENCE, read_to_end},
    node::{change_service, name},
    peers::{Client, Mesh, VIP, place, run},
};
use crate::{
    hbone::{Connect, Error},
    mesh::{binding::Binding, service::AppProtocol, snapshot::Contents},
    telemetry::task,
};

/// Takes the waypoint from the Service.
fn unbind(contents: &mut Contents) {
    change_service(contents, |shop| shop.binding = Binding::Direct);
}

/// Waits until the waypoint has so many streams that it did not end.
async fn has_open(lab: &Lab, number: u32) {
    let open = ["waypoint_connections{", "worker=\"0\""];
    let started = tokio::time::Instant::now();
    while (lab.metric(&open).await - f64::from(number)).abs() > f64::EPSILON {
        assert!(started.elapsed() < PATIENCE, "not {number} open");
        tokio::task::yield_now().await;
    }
}

/// Asks for a stream to the Service, and waits until the waypoint has heard of it.
async fn open_to_service(client: &Rc<Client>, lab: &Lab) -> JoinHandle<Result<(), Error>> {
    let opening = Rc::clone(client);
    let asked =
        task::spawn_local(
            "open",
            async move { opening.open(Connect::to_address(VIP)).await.map(drop) },
        );
    has_open(lab, 1).await;
    asked
}

#[test]
fn a_stream_to_what_is_bound_a_moment_later_is_granted() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let mut site = mesh.waypoint(&[backend.address()], AppProtocol::Detect, unbind);
        backend.echo("one");
        let client = Rc::new(Client::web(&mesh, &site));
        let asking = Rc::clone(&client);
        let asked = task::spawn_local("ask", async move {
            asking.ask("GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").await
        });
        has_open(&site.lab, 1).await;
        // Something else changes, which does not help.
        site.lab.change(|contents| place(contents, "web", LOCALHOST));
        site.lab.change(|contents| {
            change_service(contents, |shop| shop.binding = Binding::Bound(name("waypoint")));
        });
        let answer = asked.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_eq!(site.lab.line(1).await["response_flags"], "-");
    });
}

#[test]
fn an_address_that_nobody_has_is_not_waited_for() {
    run(async {
        let mesh = Mesh::new();
        let site = mesh.waypoint(&[], AppProtocol::Detect, unbind);
        let client = Rc::new(Client::web(&mesh, &site));
        let known = open_to_service(&client, &site.lab).await;
        for unknown in ["192.0.2.1:80", "10.96.0.1:81"] {
            let refused = client.open(Connect::to_address(unknown.parse().unwrap())).await;
            assert!(matches!(refused, Err(Error::Refused(400))), "{unknown}: {refused:?}");
        }
        assert!(!known.is_finished());
        assert!(matches!(known.await.unwrap(), Err(Error::Refused(400))));
        let line = site.lab.line(3).await;
        assert_eq!(
            (&line["response_flags"], &line["authority"]),
            (&"NR".into(), &VIP.to_string().into())
        );
    });
}

#[test]
fn a_stream_that_is_given_up_is_not_waited_for_longer() {
    run(async {
        let mesh = Mesh::new();
        let site = mesh.waypoint(&[], AppProtocol::Detect, unbind);
        let client = Rc::new(Client::web(&mesh, &site));
        let known = open_to_service(&client, &site.lab).await;
        known.abort();
        has_open(&site.lab, 0).await;
        // It was not refused, so this is the first line.
        let refused = client.open(Connect::to_address("192.0.2.1:80".parse().unwrap())).await;
        assert!(matches!(refused, Err(Error::Refused(400))), "{refused:?}");
        assert_eq!(site.lab.line(1).await["authority"], "192.0.2.1:80");
    });
}

#[test]
fn a_header_of_a_pod_that_is_known_a_moment_later_is_believed() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let mut site = mesh.waypoint(&[backend.address()], AppProtocol::Detect, |contents| {
            unbind(contents);
            place(contents, "web", "10.1.0.1".parse().unwrap());
        });
        backend.echo("one");
        let mut stream = tokio::net::TcpStream::connect(site.headed).await.unwrap();
        stream.write_all(&super::headed::web().header()).await.unwrap();
        stream.write_all(super::headed::GET).await.unwrap();
        has_open(&site.lab, 1).await;
        site.lab.change(|contents| place(contents, "web", LOCALHOST));
        site.lab.change(|contents| {
            change_service(contents, |shop| shop.binding = Binding::Bound(name("waypoint")));
        });
        assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
    });
}
