//! The engine over loopback sockets: clients and endpoints are written byte by byte where it
//! matters.

mod auth;
mod conduct;
mod connections;
mod downstream_http1;
mod endpoints;
mod headed;
mod http1;
mod http2;
mod inbound;
mod lab;
mod late;
mod limits;
mod node;
mod outbound;
mod overtaken;
mod peers;
mod plain;
mod refusals;
mod routes;
mod silence;
mod tcp;
mod traffic;
mod upgrades;
mod upstream_http1;
mod waypoint;
