//! HTTP: connections from clients, and the life of a request on them.
//!
//! The codecs are ours; how a message is framed is decided here, and what leaves is written from
//! the parsed model.
//!
//! **Invariant:** what frames a message or holds for one hop is never forwarded, only made anew.

use std::rc::Rc;

use http::StatusCode;

pub use self::fields::edit as edit_fields;
pub(super) use self::{
    body::RequestBody,
    forwarded::Forwarded,
    grpc_web::GrpcWeb,
    http1::serve_http1,
    http2::serve_http2,
    mirror::{MirrorCounts, Mirrors},
};
use super::{connection::Connection, record::Record, respond::Fault};

mod auth;
mod body;
mod check;
mod client_body;
mod connect;
mod deadline;
mod exchange;
mod extended_connect;
mod fields;
mod forward;
mod forwarded;
mod grpc_web;
mod hashed;
mod hedge;
mod http1;
mod http2;
mod idle;
mod mirror;
mod outgoing;
mod patience;
mod plan;
mod reply;
mod restraint;
mod returning;
mod rewind;
mod session;
mod stay;
mod tape;
mod tries;
mod upgrade;

/// Tells of what is no request, or too much of one; returns how it is answered.
fn tell_malformed(connection: &Rc<Connection>, too_much: bool) -> StatusCode {
    if too_much {
        connection.worker.limits.header_bytes.hit();
    }
    let status = if too_much {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    } else {
        StatusCode::BAD_REQUEST
    };
    let view = connection.worker.view();
    let target = connection.target(&view);
    let mut record = Record::new(connection, connection.peer(&view), target.as_deref(), None);
    record.status = status.as_u16();
    record.fail(Fault::BadRequest("malformed"));
    record.finish();
    status
}
