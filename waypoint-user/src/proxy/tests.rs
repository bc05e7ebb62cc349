//! The engine over loopback sockets: clients and endpoints are written byte by byte where it matters.

mod http1;
mod lab;
mod refusals;
