//! A node whose waypoint does not answer, or is taken away while somebody waits for it.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};

use super::{
    lab::{PATIENCE, read_until},
    node::{Instance, NodeLab, add_waypoint, change_pod, change_service, name},
    peers::run,
};
use crate::{
    mesh::{
        binding::{Binding, FailMode},
        snapshot::Contents,
    },
    proxy::limits::INSTANCE_PAUSE,
};

/// Well below every timeout, and above what a busy machine needs.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A node with pods of the waypoint, none of which answers before the test does.
async fn with_instances<const N: usize>() -> (NodeLab, [Instance; N]) {
    let mut bound = Vec::new();
    for _ in 0..N {
        bound.push(Instance::bind().await);
    }
    let at: Vec<_> = bound.iter().map(|(instance, _)| instance.address).collect();
    let lab = NodeLab::start_with(|contents| add_waypoint(contents, &at)).await;
    let serve = |(mut instance, listener): (Instance, _)| {
        instance.serve(&lab, listener);
        instance
    };
    let instances: Vec<_> = bound.into_iter().map(serve).collect();
    let Ok(instances) = instances.try_into() else { panic!("as many as were bound") };
    (lab, instances)
}

/// The Gateway is gone, and the label with it.
fn delete_gateway(contents: &mut Contents) {
    contents.waypoints.remove(&name("waypoint"));
    change_service(contents, |shop| shop.binding = Binding::Direct);
}

#[test]
fn a_pod_that_does_not_answer_is_not_waited_for_alone() {
    run(async {
        let (lab, [mut silent, mut other]) = with_instances().await;
        let mut waited = false;
        while !waited {
            let asked = Instant::now();
            let mut client = lab.connect().await;
            let mut unanswered = None;
            let answering = loop {
                tokio::select! {
                    asked = silent.next() => unanswered = Some(asked),
                    asked = other.next() => break asked,
                }
            };
            let mut stream = answering.incoming.accept().unwrap();
            stream.write_all(b"here").await.unwrap();
            read_until(&mut client, "here").await;
            assert!(asked.elapsed() < INSTANCE_PAUSE + AT_ONCE, "{:?}", asked.elapsed());
            waited = unanswered.is_some();
        }
    });
}

#[test]
fn what_waits_for_a_waypoint_goes_where_the_mesh_leads_it_since() {
    run(async {
        let (lab, [mut silent]) = with_instances().await;
        let mut client = lab.connect().await;
        let _unanswered = silent.next().await;
        let deleted = Instant::now();
        lab.change(delete_gateway);
        let (mut server, from) = lab.accept().await;
        assert_eq!(from.ip(), lab.web);
        server.write_all(b"direct").await.unwrap();
        read_until(&mut client, "direct").await;
        assert!(deleted.elapsed() < AT_ONCE, "{:?}", deleted.elapsed());
        drop((client, server));
        let line = lab.line(1).await;
        assert_eq!((&line["hop"], &line["waypoint"]), (&"tcp".into(), &"-".into()), "{line:#}");
    });
}

#[test]
fn what_waits_for_a_waypoint_that_is_exchanged_goes_to_the_next() {
    run(async {
        let (lab, [mut silent]) = with_instances().await;
        let (mut next, listener) = Instance::bind().await;
        next.serve(&lab, listener);
        let mut client = lab.connect().await;
        let _unanswered = silent.next().await;
        lab.change(|contents| {
            add_waypoint(contents, &[]);
            let moved = vec![next.address];
            change_pod(contents, "waypoint-0", |pod| {
                (pod.uid, pod.addresses) = ("next".into(), moved);
            });
        });
        let mut stream = next.next().await.incoming.accept().unwrap();
        stream.write_all(b"next").await.unwrap();
        read_until(&mut client, "next").await;
    });
}

#[test]
fn what_waits_for_a_pod_that_goes_is_refused_or_passes_it_by_at_once() {
    run(async {
        for open in [false, true] {
            let (lab, [mut silent]) = with_instances().await;
            if open {
                lab.change(|contents| {
                    change_service(contents, |shop| shop.fail_mode = FailMode::Open);
                });
            }
            let mut client = lab.connect().await;
            let _unanswered = silent.next().await;
            let gone = Instant::now();
            lab.change(|contents| drop(contents.workloads.remove(&name("waypoint-0"))));
            if open {
                let (mut server, _) = lab.accept().await;
                server.write_all(b"direct").await.unwrap();
                read_until(&mut client, "direct").await;
            } else {
                assert!(timeout(PATIENCE, client.read_u8()).await.unwrap().is_err());
            }
            assert!(gone.elapsed() < AT_ONCE, "{:?}", gone.elapsed());
        }
    });
}
