//! The engine over loopback sockets: clients and endpoints are written byte by byte where it
//! matters.

use std::{sync::Arc, thread, time::Instant};

use tokio::sync::watch;

use self::lab::PATIENCE;
use super::Engine;
use crate::mesh::snapshot::{Contents, Snapshot};

mod auth;
mod auth_body;
mod auth_clients;
mod auth_times;
mod bounds;
mod conduct;
mod connect;
mod connections;
mod downstream_http1;
mod endpoints;
mod extended_connect;
mod floods;
mod grpc;
mod grpc_web;
mod headed;
mod hedging;
mod http1;
mod http2;
mod http2_streams;
mod inbound;
mod lab;
mod late;
mod limits;
mod node;
mod outbound;
mod overheard;
mod overload;
mod overtaken;
mod peers;
mod plain;
mod refusals;
mod removed;
mod routes;
mod silence;
mod tcp;
mod traces;
mod traffic;
mod unread;
mod upgrades;
mod upstream_http1;
mod upstream_http2;
mod waypoint;
mod windows;

/// Publishes a mesh, and waits until every worker goes by it.
fn publish(engine: &Engine, snapshots: &watch::Sender<Arc<Snapshot>>, contents: &Contents) {
    let published = Arc::new(Snapshot::new(contents.clone()));
    let in_force = engine.in_force();
    snapshots.send(Arc::clone(&published)).unwrap();
    let until = Instant::now() + PATIENCE;
    while !in_force.borrow().as_ref().is_some_and(|now| Arc::ptr_eq(now, &published)) {
        assert!(Instant::now() < until, "the change is not in force");
        thread::yield_now();
    }
}
