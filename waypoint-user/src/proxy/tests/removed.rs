//! Endpoints that leave the mesh while something is under way to them.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use h2::{client, server};
use http::{Request, Response};
use tokio::{io::AsyncWriteExt, time::timeout};

use super::{
    lab::{Backend, Lab, PATIENCE, add_workload, read_until},
    traffic::{GET, who},
};
use crate::{
    mesh::{object::ObjectName, service::AppProtocol, snapshot::Contents},
    telemetry::task,
};

/// Puts the pod `shop-1`, with another endpoint, in the place of `shop-0`.
fn replace(contents: &mut Contents, by: SocketAddr) {
    contents.workloads.remove(&ObjectName::new("default", "shop-0"));
    add_workload(contents, "shop-1");
    let shop = contents.services.get_mut(&ObjectName::new("default", "shop")).unwrap();
    let [endpoint] = &mut Arc::make_mut(shop).endpoints[..] else { panic!("one endpoint") };
    endpoint.workload = Some(ObjectName::new("default", "shop-1"));
    endpoint.address = by.ip();
    endpoint.ports[0].1 = by.port();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_an_endpoint_that_is_removed_ends_undisturbed_and_the_next_goes_elsewhere() {
    for has_begun in [false, true] {
        let (old, new) = (Backend::bind().await, Backend::bind().await);
        let mut lab = Lab::start(&[old.address()], AppProtocol::Http);
        let mut client = lab.connect().await;
        client
            .write_all(b"POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 10\r\n\r\nhello")
            .await
            .unwrap();
        let mut upstream = old.accept().await;
        read_until(&mut upstream, "hello").await;
        let begin = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nbegun";
        if has_begun {
            upstream.write_all(begin).await.unwrap();
            read_until(&mut client, "begun").await;
        }
        let address = new.address();
        new.echo("new");
        lab.change(|contents| replace(contents, address));
        // It goes on both ways, while others are answered by the endpoint that came.
        for _ in 0..4 {
            assert_eq!(who(&lab.ask(GET).await), "new");
        }
        client.write_all(b"world").await.unwrap();
        read_until(&mut upstream, "world").await;
        if !has_begun {
            upstream.write_all(begin).await.unwrap();
        }
        upstream.write_all(b"ended").await.unwrap();
        read_until(&mut client, "ended").await;
        let line = lab.line(5).await;
        assert_eq!((&line["response_flags"], &line["bytes_sent"]), (&"-".into(), &10.into()));
        assert_eq!(line["upstream_host"], old.address().to_string());
        assert_eq!(line["destination_workload"], "default/shop-0");
        // So does the next of the same client, though the connection to the old one is there.
        client.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
        read_until(&mut client, "\r\n\r\nnew\n").await;
        let nothing = timeout(std::time::Duration::ZERO, old.0.accept()).await;
        assert!(nothing.is_err(), "the old one is dialled again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_to_an_endpoint_that_is_removed_ends_undisturbed() {
    let (old, new) = (Backend::bind().await, Backend::bind().await);
    let mut lab = Lab::start(&[old.address()], AppProtocol::Http2);
    let (mut client, connection) = client::handshake(lab.connect().await).await.unwrap();
    task::spawn("http2 client", connection);
    let ask = || Request::get("http://shop/").body(()).unwrap();
    let (answer, _) = client.send_request(ask(), true).unwrap();
    let mut upstream = server::handshake(old.accept().await).await.unwrap();
    let accepted = timeout(PATIENCE, upstream.accept()).await.expect("nothing is asked");
    let (_, mut respond) = accepted.unwrap().unwrap();
    task::spawn("old endpoint", async move { while upstream.accept().await.is_some() {} });
    let mut answering = respond.send_response(Response::new(()), false).unwrap();
    let mut coming = timeout(PATIENCE, answer).await.expect("no answer").unwrap().into_body();
    lab.change(|contents| replace(contents, new.address()));
    let (next, _) = client.send_request(ask(), true).unwrap();
    let mut elsewhere = server::handshake(new.accept().await).await.unwrap();
    let accepted = timeout(PATIENCE, elsewhere.accept()).await.expect("nothing is asked");
    let (_, mut respond) = accepted.unwrap().unwrap();
    task::spawn("new endpoint", async move { while elsewhere.accept().await.is_some() {} });
    respond.send_response(Response::new(()), true).unwrap();
    assert_eq!(timeout(PATIENCE, next).await.expect("no answer").unwrap().status(), 200);
    answering.send_data(Bytes::from_static(b"late"), true).unwrap();
    let piece = timeout(PATIENCE, coming.data()).await.expect("nothing comes");
    assert_eq!(piece.unwrap().unwrap(), "late");
    assert!(timeout(PATIENCE, coming.data()).await.expect("no end").is_none());
    assert_eq!(lab.line(2).await["response_flags"], "-");
}
