//! The doors of Services: plain TCP at a Service's own address.

use std::sync::Arc;

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{
    lab::{Backend, LOCALHOST, read_to_end},
    peers::{Mesh, Site, run},
};
use crate::mesh::{
    binding::Binding,
    object::ObjectName,
    service::{AppProtocol, Service, ServicePort},
};

/// Gives the Service the address of the door, and changes it.
fn address(site: &mut Site, change: impl FnOnce(&mut Service)) {
    let port = site.plain.port();
    site.lab.change(|contents| {
        let shop = contents.services.get_mut(&ObjectName::new("default", "shop")).unwrap();
        let shop = Arc::make_mut(shop);
        shop.vips = vec![LOCALHOST];
        let protocol = AppProtocol::Http;
        shop.ports.push(ServicePort { name: String::new(), number: port, protocol });
        for endpoint in &mut shop.endpoints {
            let target = endpoint.ports[0].1;
            endpoint.ports.push((port, target));
        }
        change(shop);
    });
}

async fn ask(site: &Site) -> String {
    let mut stream = TcpStream::connect(site.plain).await.unwrap();
    // Whoever is refused may see it here.
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").await;
    read_to_end(&mut stream).await
}

#[test]
fn a_service_is_served_at_its_address_to_a_client_that_is_nobody() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let mut site = mesh.waypoint(&[backend.address()], AppProtocol::Http, |_| {});
        address(&mut site, |_| {});
        backend.echo("one");
        let answer = ask(&site).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let line = site.lab.line(1).await;
        for (field, value) in [
            ("destination_service", "default/shop"),
            ("destination_workload", "default/shop-0"),
            ("waypoint", "default/waypoint"),
        ] {
            assert_eq!(line[field], value, "{field} in {line:#}");
        }
        // A pod has that address, but did not prove it.
        for field in ["source_workload", "source_principal"] {
            assert!(line[field].as_str().is_none_or(|value| value == "-"), "{line:#}");
        }
    });
}

#[test]
fn a_service_of_another_waypoint_is_refused_and_told() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let mut site = mesh.waypoint(&[backend.address()], AppProtocol::Http, |_| {});
        let elsewhere = Binding::Bound(ObjectName::new("default", "elsewhere"));
        address(&mut site, |shop| shop.binding = elsewhere);
        backend.echo("one");
        assert_eq!(ask(&site).await, "");
        let line = site.lab.line(1).await;
        assert_eq!(line["response_flags"], "NR", "{line:#}");
        assert_eq!(line["downstream_local_address"], site.plain.to_string(), "{line:#}");
    });
}
