//! OTLP by gRPC and by HTTP: one message to a collector, and its answer.
//!
//! **Invariant:** no more of an answer is read than [`ANSWER_BYTES_MAX`].

use std::time::Duration;

use http::{
    Request, StatusCode, Uri,
    header::{CONTENT_TYPE, HOST},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse, trace_service_client::TraceServiceClient,
};
use prost::Message;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, transport::Channel};
use tower::service_fn;

use crate::telemetry::task;

use super::{
    Error, Settings,
    door::Door,
    endpoint::{Endpoint, Protocol},
};

/// How a collector is reached.
pub(super) enum Way {
    /// Over a connection that is kept.
    Grpc(TraceServiceClient<Channel>),
    /// Over a connection for each message.
    Http(Endpoint, Door),
}

impl Way {
    /// The way to a collector.
    pub(super) fn to(settings: &Settings) -> Result<Self, Error> {
        let Settings { endpoint, protocol, roots, .. } = settings;
        let door = Door::of(endpoint, *protocol, roots.clone())?;
        match protocol {
            Protocol::Grpc => {
                let open = move |_: Uri| {
                    let door = door.clone();
                    async move { door.open().await.map(TokioIo::new) }
                };
                let channel = Channel::from_shared(endpoint.to_string())
                    .map_err(|_| Error::Endpoint(endpoint.to_string()))?
                    .connect_timeout(CONNECT_TIMEOUT)
                    .connect_with_connector_lazy(service_fn(open));
                let client = TraceServiceClient::new(channel);
                Ok(Self::Grpc(client.max_decoding_message_size(ANSWER_BYTES_MAX)))
            }
            Protocol::Http => Ok(Self::Http(endpoint.clone(), door)),
        }
    }

    /// Sends a message; returns how many of its spans the collector did not want.
    pub(super) async fn send(
        &mut self,
        message: ExportTraceServiceRequest,
    ) -> Result<u64, Failure> {
        let answer = match self {
            Self::Grpc(client) => client
                .export(message)
                .await
                .map_err(|status| Failure::of_grpc(&status))?
                .into_inner(),
            Self::Http(endpoint, door) => post(endpoint, door, &message).await?,
        };
        let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
        Ok(u64::try_from(rejected).unwrap_or(0))
    }
}

/// Posts a message.
async fn post(
    endpoint: &Endpoint,
    door: &Door,
    message: &ExportTraceServiceRequest,
) -> Result<ExportTraceServiceResponse, Failure> {
    let host = endpoint.uri.authority().map_or_else(String::new, ToString::to_string);
    let request = Request::post(endpoint.path().as_str())
        .header(HOST, host)
        .header(CONTENT_TYPE, PROTOBUF)
        .body(Full::new(Bytes::from(message.encode_to_vec())))?;
    let stream = TokioIo::new(door.open().await?);
    let (mut requests, connection) = http1::handshake(stream).await?;
    let _driving = AbortOnDropHandle::new(task::spawn("traces by HTTP", async move {
        // Why a connection ends is told to whoever asks over it.
        let _ = connection.await;
    }));
    let response = requests.send_request(request).await?;
    let status = response.status();
    if !status.is_success() {
        return Err(Failure::Status(status));
    }
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(Failure::Body)?.to_bytes();
    // Whoever takes a message and answers in other words has taken it.
    Ok(ExportTraceServiceResponse::decode(body).unwrap_or_default())
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("it does not answer in time")]
    Late,
    #[error("it cannot be reached: {0}")]
    Connect(#[from] std::io::Error),
    #[error(transparent)]
    Protocol(#[from] hyper::Error),
    #[error(transparent)]
    Request(#[from] http::Error),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("its answer: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("it answers by gRPC: {1}")]
    Grpc(Code, String),
}

impl Failure {
    fn of_grpc(status: &tonic::Status) -> Self {
        Self::Grpc(status.code(), status.message().to_owned())
    }

    /// Whether the same message may be taken later (OTLP, "Failures").
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Late | Self::Connect(_) | Self::Protocol(_) | Self::Body(_) => true,
            Self::Request(_) => false,
            Self::Status(status) => LATER.contains(status),
            Self::Grpc(code, _) => matches!(
                code,
                Code::Cancelled
                    | Code::DeadlineExceeded
                    | Code::Aborted
                    | Code::OutOfRange
                    | Code::Unavailable
                    | Code::DataLoss
            ),
        }
    }
}

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What is posted.
const PROTOBUF: &str = "application/x-protobuf";

/// After which answers the same message may be taken later.
const LATER: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];
