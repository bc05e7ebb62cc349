//! Where spans of requests are sent.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use waypoint_user::telemetry::traces::{self, Endpoint, Protocol, Rate};

#[derive(Args)]
#[expect(clippy::struct_field_names, reason = "arguments are called so")]
pub(crate) struct Tracing {
    /// Collector that gets a span of each sampled request by OTLP, http://HOST:PORT or
    /// https://HOST:PORT; without one, what requests say of traces passes untouched.
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT", hide_env_values = true)]
    tracing_endpoint: Option<Endpoint>,
    /// What the collector is spoken to.
    #[arg(
        long,
        value_enum,
        value_name = "PROTOCOL",
        default_value_t = Otlp::Grpc,
        env = "OTEL_EXPORTER_OTLP_PROTOCOL",
        hide_env_values = true
    )]
    tracing_protocol: Otlp,
    /// PEM file with the roots that a collector of https is verified by; without one, the system's.
    #[arg(
        long,
        value_name = "FILE",
        env = "OTEL_EXPORTER_OTLP_CERTIFICATE",
        hide_env_values = true
    )]
    tracing_ca: Option<PathBuf>,
    /// How many of the traces that begin here are kept, 0 to 100 with at most two decimals; what a
    /// request says of its own trace comes first.
    #[arg(long, value_name = "PERCENT", default_value_t = Rate::default())]
    tracing_sampling: Rate,
    /// Name by which spans say whose they are; by default that of the waypoint's Gateway and its
    /// namespace, or `waypoint` where one process serves several.
    #[arg(long, value_name = "NAME", env = "OTEL_SERVICE_NAME", hide_env_values = true)]
    tracing_service: Option<String>,
}

/// What a collector is spoken to.
#[derive(Clone, Copy, ValueEnum)]
enum Otlp {
    /// gRPC, usually at port 4317.
    Grpc,
    /// HTTP/1.1 with protobuf, usually at port 4318.
    #[value(alias = "http/protobuf")]
    Http,
}

impl Tracing {
    /// What the arguments say, if spans are sent.
    pub(crate) fn settings(self) -> Option<traces::Settings> {
        Some(traces::Settings {
            endpoint: self.tracing_endpoint?,
            protocol: match self.tracing_protocol {
                Otlp::Grpc => Protocol::Grpc,
                Otlp::Http => Protocol::Http,
            },
            roots: self.tracing_ca,
            rate: self.tracing_sampling,
            service: self.tracing_service,
        })
    }
}
