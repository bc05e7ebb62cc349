//! What the stories stand on: the lab, the shop that runs in its pods, and a real
//! Kubernetes control plane.
//!
//! Nothing here is part of the product; it sees the product as an operator does, by its binaries,
//! its files and its sockets.

#![forbid(unsafe_code)]

pub mod bench;
pub mod cluster;
pub mod ctl;
pub mod demo;
pub mod envoy;
pub mod go;
pub mod golden;
pub mod kube;
pub mod lab;
pub mod node_js;
pub mod otlp;
pub mod python;
pub mod shop;
pub mod story;
pub mod wire;
