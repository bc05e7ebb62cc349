//! A collector that takes spans by gRPC or by HTTP.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1 as otlp,
};
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};
use tonic::{Request, Response, Status, codegen::Service};

use crate::telemetry::{task, traces::Protocol};

use super::PATIENCE;

/// What a collector got, and how often it refuses before it takes anything.
#[derive(Clone, Default)]
pub(crate) struct Collector {
    spans: Arc<Mutex<Vec<otlp::Span>>>,
    pub(super) refusals: Arc<AtomicUsize>,
}

impl Collector {
    fn take(&self, message: ExportTraceServiceRequest) -> bool {
        let less = |left: usize| left.checked_sub(1);
        let refused = self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        if refused.is_err() {
            let of_scopes = message.resource_spans.into_iter().flat_map(|all| all.scope_spans);
            self.spans.lock().unwrap().extend(of_scopes.flat_map(|all| all.spans));
        }
        refused.is_err()
    }

    /// The spans, as soon as there are as many.
    pub(crate) async fn spans(&self, number: usize) -> Vec<otlp::Span> {
        let until = Instant::now() + PATIENCE;
        loop {
            let spans = self.spans.lock().unwrap().clone();
            if spans.len() >= number {
                return spans;
            }
            assert!(Instant::now() < until, "only {spans:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The traces of which there are spans.
    pub(super) fn traces(&self) -> Vec<u128> {
        let spans = self.spans.lock().unwrap();
        let number =
            |span: &otlp::Span| u128::from_be_bytes(span.trace_id.as_slice().try_into().unwrap());
        spans.iter().map(number).collect()
    }

    /// Answers by HTTP/1, one request for each connection.
    async fn serve_http(self, listener: TcpListener) {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let message = loop {
                let mut part = [0; 4096];
                let number = stream.read(&mut part).await.unwrap();
                assert!(number > 0, "half a request");
                bytes.extend_from_slice(&part[..number]);
                if let Some(message) = posted(&bytes) {
                    break message;
                }
            };
            let status = if self.take(message) { "200 OK" } else { "503 Service Unavailable" };
            let partial = ExportTracePartialSuccess::default();
            let answer = ExportTraceServiceResponse { partial_success: Some(partial) };
            let answer = answer.encode_to_vec();
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", answer.len());
            stream.write_all(&[head.as_bytes(), &answer].concat()).await.unwrap();
        }
    }
}

/// The message of a request that is there whole.
fn posted(bytes: &[u8]) -> Option<ExportTraceServiceRequest> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let body = &bytes[end..];
    (body.len() == length.parse::<usize>().unwrap())
        .then(|| ExportTraceServiceRequest::decode(body).unwrap())
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        if self.take(request.into_inner()) {
            Ok(Response::new(ExportTraceServiceResponse::default()))
        } else {
            Err(Status::unavailable("not now"))
        }
    }
}

/// Answers by gRPC.
async fn serve_grpc(collector: Collector, listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let server = TraceServiceServer::new(collector.clone());
        let service = service_fn(move |request| Service::call(&mut server.clone(), request));
        task::spawn("collector", async move {
            let builder = http2::Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Serves a collector at a port that was bound before.
pub(crate) fn serve(collector: &Collector, protocol: Protocol, listener: TcpListener) {
    match protocol {
        Protocol::Grpc => drop(task::spawn("by grpc", serve_grpc(collector.clone(), listener))),
        Protocol::Http => drop(task::spawn("by http", collector.clone().serve_http(listener))),
    }
}
