//! Every limit of the engine, with its default and what happens when it is hit.
//!
//! Each limit with a row below `waypoint_limit_hits_total` has a counter there under that name.

use std::time::Duration;

use crate::{
    http2::Reach,
    telemetry::metrics::{Limit, Registry},
};

/// Longest header block of HTTP/1 and HTTP/2, in bytes, and most header fields of HTTP/1; a request
/// that is longer or has more is answered with 431.
pub use crate::http1::{HEADER_BYTES_MAX, HEADERS_MAX};

/// How long an HTTP/1 connection may wait for its next request; then it is closed. Counted as
/// `header_timeout`, like the next two.
pub const REQUEST_TIMEOUT: Duration = Duration::from_hours(1);

/// How long the head of an HTTP/1 request may take from its first bytes on, and an HTTP/2 client
/// without requests for what it began, or to answer when it is told of the end; then the connection
/// is closed.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long, and for at most [`HTTP1_BUFFER_BYTES`], what a client still sends is read after the
/// last response of an HTTP/1 connection, so that the response reaches it; then it is closed. What
/// is left to be sent when a connection is closed, and the other side's end of one of HTTP/2, are
/// waited for as long.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the first bytes may take where HTTP is declared; then the connection is closed.
pub const FIRST_BYTES_TIMEOUT: Duration = Duration::from_mins(1);

/// Most bytes of a body that wait in one direction of an HTTP/1 connection.
pub const HTTP1_BUFFER_BYTES: usize = 256 * 1024;

/// Requests at a time of one HTTP/2 connection; clients are told, and more are refused.
pub const HTTP2_STREAMS_MAX: u32 = 256;

/// How long an endpoint may take to say whether it wants a body that the client keeps until then
/// (RFC 9110 section 10.1.1); then the body is sent. Some endpoints never say it.
pub const CONTINUE_PATIENCE: Duration = Duration::from_secs(1);

/// How long an endpoint of HTTP/2 may take to say what it takes on a new connection; then requests
/// are sent all the same, and changes of protocol asked for by HTTP/1.
pub const SETTINGS_PATIENCE: Duration = Duration::from_secs(1);

/// Responses of an endpoint before the final one of a request (RFC 9110 section 15.2), which are
/// passed on; more are malformed.
pub const INTERIM_RESPONSES_MAX: usize = 16;

/// Bytes of one HTTP/2 stream that may wait to be read, before any growth.
pub const HTTP2_STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// Longest payload of a frame of HTTP/2, which everybody must take.
pub const HTTP2_FRAME_BYTES_MAX: usize = 16 * 1024;

/// Bytes of one HTTP/2 connection that may wait to be read, before any growth.
pub const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// How far the window of one HTTP/2 stream grows, of a client or an endpoint, where bandwidth and
/// distance ask for it; its connection's grows with it.
pub const HTTP2_STREAM_WINDOW_BYTES_MAX: u32 = 4 * 1024 * 1024;

/// By how much the window of one HTTP/2 connection may grow.
pub const HTTP2_CONNECTION_GROWTH_BYTES_MAX: u32 = 15 * 1024 * 1024;

/// By how much the windows of all HTTP/2 connections of the process may grow together; those that
/// ask for more keep their size. Counted as `http2_window_growth`.
pub const HTTP2_WINDOW_GROWTH_BYTES_MAX: usize = 128 * 1024 * 1024;

/// How far the windows of an HTTP/2 connection grow.
pub(super) const HTTP2_REACH: Reach = Reach {
    stream_window_max: HTTP2_STREAM_WINDOW_BYTES_MAX,
    connection_growth_max: HTTP2_CONNECTION_GROWTH_BYTES_MAX,
};

/// Streams that a client may reset before they were looked at; more end the connection
/// (CVE-2023-44487).
pub const HTTP2_PENDING_RESETS_MAX: usize = 32;

/// Streams that we reset in a second for a client's errors; more end the connection.
pub const HTTP2_ERROR_RESETS_MAX: usize = 256;

/// Requests that a client may reset before they were answered, at once and in each second; more end
/// the connection. What ends a connection because a client does too much of something is counted as
/// `http2_floods`.
pub const HTTP2_EARLY_RESETS_MAX: u32 = 512;

/// Requests at a time on one HTTP/2 connection to an endpoint; more open another connection.
pub const HTTP2_UPSTREAM_STREAMS_MAX: usize = 100;

/// Bytes of one HTTP/2 connection to an endpoint that may wait to be read: as many as of all its
/// streams, because clients that do not read theirs must not stop others. It grows by as much as
/// those do.
pub const HTTP2_UPSTREAM_WINDOW_BYTES: u32 = 100 * HTTP2_STREAM_WINDOW_BYTES;

const _: () = assert!(
    HTTP2_UPSTREAM_WINDOW_BYTES as usize
        >= HTTP2_UPSTREAM_STREAMS_MAX * HTTP2_STREAM_WINDOW_BYTES as usize
);

/// Bytes of a request's body that are kept for another try, with what it takes to keep each piece;
/// of a body that is longer there is one try.
pub const REPLAY_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a request's body that may wait for a mirror, with what it takes to keep each piece; one
/// that is further behind gets no more, and its copy breaks off.
pub const MIRROR_BYTES_MAX: usize = 256 * 1024;

/// Copies of requests that one worker has under way; one more is left out. Counted as `mirrors`.
pub const MIRRORS_MAX: usize = 1024;

/// How long a mirror may take for the whole of its answer.
pub const MIRROR_TIMEOUT: Duration = Duration::from_secs(15);

/// How long an external authority may take for its answer; then the request is refused with 503.
pub const AUTH_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest body that is shown to an external authority, whatever a route permits; one that is
/// longer is refused with 413.
pub const AUTH_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of bodies that one worker holds for external authorities, with what holds them once more
/// for those that are asked by gRPC; what comes on top is refused with 503. Counted as
/// `auth_bodies`.
pub const AUTH_BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long a body may take to come that an external authority is shown; then its request is
/// refused with 408.
pub const AUTH_BODY_TIMEOUT: Duration = Duration::from_mins(1);

/// Bytes of an external authority's refusal that are passed on to the client; one that is longer is
/// told as a plain 403.
pub const AUTH_ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The time after which a request is tried again, where a route does not say; it grows with each
/// try, and where within it the try falls is left to chance.
pub const RETRY_BACKOFF: Duration = Duration::from_millis(25);

/// By how much the time between two tries may grow, at most.
pub const RETRY_BACKOFF_GROWTH_MAX: u32 = 10;

/// Idle connections to one endpoint and worker; one more is closed. Counted as `upstream_idle`.
pub const IDLE_PER_ENDPOINT_MAX: usize = 512;

/// Idle connections of one worker; one more is closed. Counted as `upstream_idle`.
pub const IDLE_MAX: usize = 4096;

/// How long a connection to an endpoint may be idle; then it is closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(55);

/// How long a connection of a pod waits for the pod's certificate; then it is closed.
pub const CERTIFICATE_PATIENCE: Duration = Duration::from_secs(5);

/// How often it looks whether the certificate is there, when it was refused before.
pub const CERTIFICATE_PAUSE: Duration = Duration::from_millis(50);

/// Pods of a waypoint that are tried for one connection before it is refused.
pub const INSTANCES_TRIED_MAX: usize = 3;

/// How long a pod of a waypoint may leave a connection unanswered before the next one is asked
/// beside it.
pub const INSTANCE_PAUSE: Duration = Duration::from_millis(500);

/// How long all pods of a waypoint together may leave a connection unanswered; then it is refused,
/// or passes the waypoint by where that is wanted. Where the mesh has the pod, the waypoint or the
/// label no more, nobody is waited for.
pub const PASSAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a connection whose way the mesh changed while it was opened is led anew; then it is
/// refused.
pub const COURSES_MAX: usize = 8;

/// First bytes of a connection that are looked at to tell its protocol.
pub const SNIFF_BYTES_MAX: usize = 1024;

/// First bytes of a TLS connection that are read to learn which server it asks for; then it is
/// reset. Counted as `client_hello`, like the next.
pub const HELLO_BYTES_MAX: usize = 32 * 1024;

/// How long they may take; then the connection is reset.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// Sizes of a copy buffer: it grows when a read filled it, and starts small because most
/// connections are idle.
pub const COPY_BUFFER_BYTES: [usize; 3] = [1024, 16 * 1024, 256 * 1024];

/// How long accepting rests when there are no file descriptors. Counted as `file_descriptors`.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection that was accepted may be silent before the kernel asks whether the other
/// side is there.
pub const KEEPALIVE_AFTER: Duration = Duration::from_mins(5);

/// The same of a connection that we opened.
pub const DIALLED_KEEPALIVE_AFTER: Duration = Duration::from_secs(10);

/// How often the kernel asks then.
pub const DIALLED_KEEPALIVE_EVERY: Duration = Duration::from_secs(5);

/// How often it asks in vain before the connection is broken.
pub const DIALLED_KEEPALIVE_PROBES: u32 = 4;

/// How long what was sent on an HTTP/2 connection to an endpoint may wait to be acknowledged; then
/// the connection is broken with all its requests. Other connections have no such limit: with it
/// the kernel also breaks those whose other side is there and has no room for so long, which is
/// good conduct where one request or stream of bytes is all that they carry.
pub const HTTP2_UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a connection that is accepted while draining may take to ask for something; then it is
/// closed.
pub const DRAIN_FIRST_BYTES_TIMEOUT: Duration = Duration::from_millis(100);

/// How long a peer of HBONE may take to agree on TLS, and how long an endpoint may take to grant a
/// stream; then the connection or stream is given up. The first is counted as `tls_handshake`.
pub const TUNNEL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a stream to something that the mesh knows, but that is not bound to the waypoint, waits
/// for that; then it is refused with 400.
pub const BINDING_PATIENCE: Duration = Duration::from_secs(1);

/// Streams of one worker that wait so at a time; one more is refused at once. Counted as
/// `binding_waits`.
pub const BINDING_WAITS_MAX: usize = 256;

/// How long the PROXY header before a connection may take; then the connection is reset. Counted as
/// `proxy_headers`, like headers that are malformed, too long or not believed.
pub const PROXY_HEADER_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a connection of HBONE that we opened may carry nothing; then it is closed.
pub const TUNNEL_IDLE_TIMEOUT: Duration = Duration::from_mins(5);

/// Ways to endpoints that a worker remembers; then it forgets them all.
pub const WAYS_MAX: usize = 16 * 1024;

/// Names of endpoints that a worker keeps looked up; endpoints of further ones are not found.
/// Counted as `names`.
pub const NAMES_MAX: usize = 1024;

/// Shortest time for which an answer of a name server holds.
pub const NAME_TTL_MIN: Duration = Duration::from_secs(1);

/// Longest time for which an answer of a name server holds.
pub const NAME_TTL_MAX: Duration = Duration::from_mins(5);

/// How long it holds that there is no address, or that nobody answered.
pub const NAME_TTL_NONE: Duration = Duration::from_secs(5);

/// How long the first who asks for a name waits for it; then its endpoints are not found.
pub const NAME_PATIENCE: Duration = Duration::from_secs(5);

/// How long nobody asks for a name before it is forgotten.
pub const NAME_IDLE: Duration = Duration::from_mins(10);

/// Pairs of parties whose counters one connection remembers.
pub const METERS_MAX: usize = 32;

/// Counters of limits that were hit.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// [`Settings::connections_max`](super::Settings::connections_max).
    pub(super) connections: Limit,
    /// [`Settings::tunnels_max`](super::Settings::tunnels_max).
    pub(super) tunnels: Limit,
    /// [`TUNNEL_TIMEOUT`] of peers.
    pub(super) tls_handshake: Limit,
    /// [`BINDING_WAITS_MAX`].
    pub(super) binding_waits: Limit,
    /// [`PROXY_HEADER_TIMEOUT`], and headers that are no good.
    pub(super) proxy_headers: Limit,
    /// No file descriptor for a connection.
    pub(super) file_descriptors: Limit,
    /// [`IDLE_PER_ENDPOINT_MAX`] and [`IDLE_MAX`].
    pub(super) upstream_idle: Limit,
    /// [`REQUEST_TIMEOUT`], [`HEAD_TIMEOUT`] and [`FIRST_BYTES_TIMEOUT`].
    pub(super) header_timeout: Limit,
    /// [`HEADER_BYTES_MAX`] and [`HEADERS_MAX`].
    pub(super) header_bytes: Limit,
    /// [`HTTP2_PENDING_RESETS_MAX`], [`HTTP2_ERROR_RESETS_MAX`] and [`HTTP2_EARLY_RESETS_MAX`], and
    /// frames and header blocks without end.
    pub(super) http2_floods: Limit,
    /// [`HTTP2_WINDOW_GROWTH_BYTES_MAX`].
    pub(super) http2_window_growth: Limit,
    /// [`HELLO_BYTES_MAX`] and [`HELLO_TIMEOUT`].
    pub(super) client_hello: Limit,
    /// [`MIRRORS_MAX`].
    pub(super) mirrors: Limit,
    /// [`NAMES_MAX`].
    pub(super) names: Limit,
    /// A waypoint of which no pod could be reached, and that may be passed by then.
    pub(super) waypoint_passed_by: Limit,
}

impl Limits {
    /// Counters in a registry.
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            connections: registry.limit("connections"),
            tunnels: registry.limit("tunnels"),
            tls_handshake: registry.limit("tls_handshake"),
            binding_waits: registry.limit("binding_waits"),
            proxy_headers: registry.limit("proxy_headers"),
            file_descriptors: registry.limit("file_descriptors"),
            upstream_idle: registry.limit("upstream_idle"),
            header_timeout: registry.limit("header_timeout"),
            header_bytes: registry.limit("header_bytes"),
            http2_floods: registry.limit("http2_floods"),
            http2_window_growth: registry.limit("http2_window_growth"),
            client_hello: registry.limit("client_hello"),
            mirrors: registry.limit("mirrors"),
            names: registry.limit("names"),
            waypoint_passed_by: registry.limit("waypoint_passed_by"),
        }
    }
}
