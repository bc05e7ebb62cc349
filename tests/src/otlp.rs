//! A collector of spans that is not ours: OpenTelemetry's own messages and gRPC's own server, in
//! Python.
//!
//! **Invariant:** it tells what it was sent, word for word, one span a line.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{
    lab::{
        Netns, Process,
        wait::{self, SOON},
    },
    python,
};

/// A collector that runs until it is dropped.
#[derive(Debug)]
pub struct Collector {
    process: Process,
}

impl Collector {
    /// Starts it on a loopback port of a namespace, and waits until it listens; `protocol` is
    /// `grpc` or `http`.
    pub fn start(netns: &Netns, directory: &Path, protocol: &str, port: u16) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let script = directory.join("collector.py");
        fs::write(&script, SCRIPT)?;
        let script = script.display().to_string();
        let arguments = [&*script, protocol, &port.to_string()];
        let python = python::opentelemetry()?;
        let mut process = Process::start(netns, "collector", directory, &python, &arguments)?;
        process.wait_for("listening on")?;
        Ok(Self { process })
    }

    /// The spans that came so far.
    pub fn spans(&self) -> Result<Vec<Span>> {
        let output = self.process.output()?;
        let whole = output.rfind('\n').map_or("", |end| &output[..end]);
        let lines = whole.lines().filter(|line| line.starts_with('{'));
        lines.map(|line| Ok(Span(serde_json::from_str(line)?))).collect()
    }

    /// The spans, as soon as one of them has this attribute.
    pub fn wait_for(&self, key: &str, value: &str) -> Result<Vec<Span>> {
        wait::until(&format!("span whose {key} is {value}"), SOON, || {
            let spans = self.spans()?;
            Ok(spans.iter().any(|span| span.told(key) == value).then_some(spans))
        })
    }
}

/// A span, as the collector read it.
#[derive(Clone, Debug)]
pub struct Span(Value);

impl Span {
    /// A field: `trace`, `span`, `parent`, `name`, `service`.
    pub fn field(&self, name: &str) -> Result<&str> {
        self.0.get(name).and_then(Value::as_str).with_context(|| format!("no {name} in {}", self.0))
    }

    /// An attribute; empty where there is none.
    pub fn told(&self, key: &str) -> &str {
        let attributes = self.0.get("attributes").and_then(|all| all.get(key));
        attributes.and_then(Value::as_str).unwrap_or_default()
    }
}

const SCRIPT: &str = include_str!("otlp/collector.py");
