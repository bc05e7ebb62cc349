//! The doors of Services: plain TCP at a Service's own address, from whoever dials it.
//!
//! Nothing there is encrypted, and nobody proves who they are.
//!
//! **Invariant:** a client has no identity there, whatever its address.
//! **Invariant:** what is not bound to this waypoint is not served, as policies of another would
//! not be asked.

use std::{net::SocketAddr, rc::Rc};

use tokio::net::TcpStream;

use crate::{
    mesh::request::Origin,
    proxy::{
        accept::canonical,
        connection::Connection,
        socket::{self, reset_on_drop},
        stream::Stream,
        worker::Worker,
    },
    telemetry::task,
};

use super::takes;

/// Starts to serve a connection, or resets it when there is no place.
pub(in crate::proxy) fn admit(worker: &Rc<Worker>, stream: TcpStream, remote: SocketAddr) {
    let (Some(place), Ok(local)) = (worker.place(), stream.local_addr()) else {
        reset_on_drop(&stream);
        return;
    };
    if let Err(cause) = socket::prepare(&stream) {
        tracing::debug!(%cause, "a connection was gone before it was served");
        return;
    }
    let (remote, local) = (canonical(remote), canonical(local));
    let connection = Connection::new(place, remote, local, Origin::Unknown);
    task::spawn_local("plain connection", serve(Rc::clone(worker), connection, stream));
}

/// Serves a connection to what is bound here.
async fn serve(worker: Rc<Worker>, connection: Rc<Connection>, stream: TcpStream) {
    if !Box::pin(takes(&worker, connection.local)).await {
        reset_on_drop(&stream);
        return connection.refuse(&worker.view(), None);
    }
    connection.serve(Stream::Tcp(stream)).await;
}
