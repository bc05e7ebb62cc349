//! Clients that say nothing where nothing is declared: either the server speaks first, or the
//! client does so late, as those do that open connections before they need them.
//!
//! The connection is judged as opaque TCP and, if that is allowed, dialled; whoever speaks first
//! then says what it is.
//!
//! **Invariant:** a connection that was dialled here carried no byte before it is known to be
//! opaque; where it is not, it is closed and nobody is told of it.

use std::rc::Rc;

use hyper::body::Bytes;
use tokio::time::timeout;

use crate::mesh::service::AppProtocol;

use super::{
    connection::Connection,
    limits::FIRST_BYTES_TIMEOUT,
    respond::Fault,
    sniff::{Sniffed, Spoken, sniff},
    stream::Stream,
    tcp::{Session, Upstream},
};

/// Serves a silent connection to its end, or gives it back with what its client speaks after all.
pub(super) async fn serve(
    connection: &Rc<Connection>,
    mut client: Stream,
) -> Option<(Stream, Sniffed)> {
    let mut session = Session::new(connection);
    match session.reach(None).await {
        Ok(upstream) => listen_to_both(connection, session, client, upstream).await,
        // Denied as opaque TCP; of requests that may still come, each is judged by itself.
        Err(fault @ Fault::Denied(_)) => listen_to_client(connection, session, client, fault).await,
        Err(fault) => {
            refuse(session, &mut client, &fault);
            None
        }
    }
}

/// Waits for whoever speaks first.
async fn listen_to_both(
    connection: &Rc<Connection>,
    session: Session,
    mut client: Stream,
    mut upstream: Upstream,
) -> Option<(Stream, Sniffed)> {
    let fault = tokio::select! {
        () = client.readable() => match sniff_late(connection, &mut client).await {
            Ok(sniffed) if sniffed.spoken == Spoken::Opaque => {
                session.relay(client, upstream, sniffed.first).await;
                return None;
            }
            Ok(sniffed) => {
                session.forget();
                return Some((client, sniffed));
            }
            Err(_) => Fault::ClientGone,
        },
        () = upstream.stream.readable() => {
            session.relay(client, upstream, Bytes::new()).await;
            return None;
        }
        fault = session.revoked() => fault,
        fault = session.over() => fault,
        () = connection.worker.drain.cancelled() => {
            session.forget();
            return None;
        }
    };
    refuse(session, &mut client, &fault);
    None
}

/// Waits for a client that may only speak HTTP; `fault` is why it may not speak anything else.
async fn listen_to_client(
    connection: &Rc<Connection>,
    session: Session,
    mut client: Stream,
    fault: Fault,
) -> Option<(Stream, Sniffed)> {
    let spoken = tokio::select! {
        readable = timeout(FIRST_BYTES_TIMEOUT, client.readable()) => readable.is_ok(),
        () = connection.worker.drain.cancelled() => false,
    };
    if spoken
        && let Ok(sniffed) = sniff_late(connection, &mut client).await
        && sniffed.spoken != Spoken::Opaque
    {
        session.forget();
        return Some((client, sniffed));
    }
    refuse(session, &mut client, &fault);
    None
}

/// Looks at the first bytes of a client that has begun to speak.
async fn sniff_late(connection: &Connection, client: &mut Stream) -> std::io::Result<Sniffed> {
    sniff(client, AppProtocol::Detect, connection.worker.settings.sniff_deadline).await
}

/// Resets the client and tells why.
fn refuse(session: Session, client: &mut Stream, fault: &Fault) {
    client.reset_on_drop();
    session.finish(Some(fault));
}
