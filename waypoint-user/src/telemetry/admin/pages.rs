//! What the admin endpoint answers.

use std::{convert::Infallible, fmt::Write as _};

use futures_util::{Stream, stream};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};

use super::{Content, Question, connection::Answer};
use crate::telemetry::{
    applied::Applied,
    flows::{Filter, Hub},
    metrics::Registry,
    readiness::Readiness,
};

/// Answers a request of an operator.
pub(super) fn all<B>(request: &Request<B>, content: &Content) -> Answer {
    let read = is_read(request);
    let path = request.uri().path();
    if let Some(question) = content.questions.iter().find(|question| question.path == path && read)
    {
        return asked(question, request.uri().query().unwrap_or_default());
    }
    match path {
        "/logging" => logging(request, content),
        "/" if read => page(StatusCode::OK, TEXT, index(content)),
        "/version" if read => page(StatusCode::OK, JSON, VERSION.to_owned()),
        "/flows" if read => match &content.flows {
            Ok(hub) => flows(request.uri().query().unwrap_or_default(), hub),
            Err(why) => page(StatusCode::NOT_FOUND, TEXT, format!("{why}\n")),
        },
        "/config_dump" if read => page(StatusCode::OK, JSON, (content.config)()),
        "/" | "/config_dump" | "/flows" | "/version" => only_get(),
        METRICS_PAGE | METRICS_PAGE_OF_ENVOY => metrics(request, &content.registry),
        READY | LIVE | APPLIED => status(request, &content.readiness, content.applied.as_ref()),
        _ => page(StatusCode::NOT_FOUND, TEXT, format!("no such page\n\n{}", index(content))),
    }
}

/// Answers a request of whoever collects metrics.
pub(super) fn metrics<B>(request: &Request<B>, registry: &Registry) -> Answer {
    match request.uri().path() {
        METRICS_PAGE | METRICS_PAGE_OF_ENVOY if is_read(request) => {
            page(StatusCode::OK, METRICS, registry.encode())
        }
        METRICS_PAGE | METRICS_PAGE_OF_ENVOY => only_get(),
        _ => page(StatusCode::NOT_FOUND, TEXT, "only /metrics is here\n".to_owned()),
    }
}

/// Answers a request of whoever watches the process.
pub(super) fn status<B>(
    request: &Request<B>,
    readiness: &Readiness,
    applied: Option<&Applied>,
) -> Answer {
    match request.uri().path() {
        READY if is_read(request) => ready(readiness),
        // Whoever answers lives.
        LIVE if is_read(request) => page(StatusCode::OK, TEXT, "live\n".to_owned()),
        APPLIED if is_read(request) => in_force(request, applied),
        READY | LIVE | APPLIED => only_get(),
        _ => page(StatusCode::NOT_FOUND, TEXT, format!("only {READY} and {LIVE} are here\n")),
    }
}

fn is_read<B>(request: &Request<B>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

fn only_get() -> Answer {
    page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n".to_owned())
}

/// What a question is answered with.
fn asked(question: &Question, query: &str) -> Answer {
    match (question.answer)(query) {
        Ok(text) => page(StatusCode::OK, JSON, text),
        Err(cause) => page(StatusCode::BAD_REQUEST, TEXT, format!("{cause}\n")),
    }
}

/// All pages.
fn index(content: &Content) -> String {
    let mut text = INDEX.to_owned();
    for Question { path, about, .. } in &content.questions {
        let _ = writeln!(text, "GET  {path:<24} {about}");
    }
    text
}

/// Whether all gates are open, and otherwise which are not and why.
fn ready(readiness: &Readiness) -> Answer {
    let closed = readiness.closed();
    if closed.is_empty() {
        return page(StatusCode::OK, TEXT, "ready\n".to_owned());
    }
    let mut text = "not ready\n".to_owned();
    for (gate, reason) in closed {
        // Writing into a String has nothing that could go wrong.
        let _ = writeln!(text, "{gate}: {reason}");
    }
    page(StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
}

/// What the process goes by, once that is another version than the query's `after`.
fn in_force<B>(request: &Request<B>, applied: Option<&Applied>) -> Answer {
    let Some(applied) = applied else {
        return page(
            StatusCode::NOT_FOUND,
            TEXT,
            "only waypoints say what they apply\n".to_owned(),
        );
    };
    let query = request.uri().query().unwrap_or_default();
    let Some(answer) = applied.ask(query.strip_prefix("after=")) else {
        let text = "too many wait already\n".to_owned();
        return page(StatusCode::SERVICE_UNAVAILABLE, TEXT, text);
    };
    let text = async move {
        let text = answer.text().await;
        Ok::<_, Infallible>(Frame::data(Bytes::from(text.to_string())))
    };
    streamed(JSON, stream::once(text))
}

/// Shows the level of the log, or changes it to the query's `level`.
fn logging<B>(request: &Request<B>, content: &Content) -> Answer {
    let show = |status, first: &str| {
        page(status, TEXT, format!("{first}level: {}\n", content.level.current()))
    };
    if request.method() == Method::GET {
        return show(StatusCode::OK, "");
    }
    if request.method() != Method::POST {
        return page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and POST\n".to_owned());
    }
    let query = request.uri().query().unwrap_or_default();
    let level = query.split('&').find_map(|pair| pair.strip_prefix("level=")).unwrap_or_default();
    match content.level.set(level) {
        Ok(()) => {
            tracing::info!(level, "the log level was changed");
            show(StatusCode::OK, "")
        }
        Err(error) => show(StatusCode::BAD_REQUEST, &format!("{error}\n")),
    }
}

/// Connections as they happen, one line of JSON for each, until the client goes away.
fn flows(query: &str, hub: &Hub) -> Answer {
    let listener = hub.listen(Filter::parse(query));
    let lines = stream::unfold(listener, |mut listener| async move {
        let line = listener.line().await?;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(line))), listener))
    });
    streamed(JSON_LINES, lines)
}

/// An answer with a type and a text that is made as it is read.
fn streamed(
    content_type: &'static str,
    frames: impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + 'static,
) -> Answer {
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    let content_type = header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// An answer with a type and a text.
fn page(status: StatusCode, content_type: &'static str, text: String) -> Answer {
    let mut response = Response::new(Full::from(text).boxed_unsync());
    *response.status_mut() = status;
    let content_type = header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

const METRICS_PAGE: &str = "/metrics";
/// Where Istio's proxies have theirs.
const METRICS_PAGE_OF_ENVOY: &str = "/stats/prometheus";
const READY: &str = "/healthz/ready";
const APPLIED: &str = "/applied";
const LIVE: &str = "/healthz/live";

const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4";
const JSON: &str = "application/json";
const JSON_LINES: &str = "application/jsonl";

const VERSION: &str = concat!("{\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}\n");

const INDEX: &str = "\
waypointd

GET  /metrics                 metrics in Prometheus' text format (also /stats/prometheus)
GET  /healthz/ready           200 when ready, else 503 and what is missing
GET  /healthz/live            200 as long as the process answers
GET  /config_dump             the configuration in force, as JSON
GET  /applied                 of a waypoint: routes that are in force, as JSON; ?after=VERSION waits
                              for another version
GET  /flows                   connections of pods as they happen, a JSON object a line;
                              ?namespace=, ?pod=, ?service= choose
GET  /version                 the version of the program, as JSON
GET  /logging                 the level of the log
POST /logging?level=LEVEL     change it: warn, info, debug, or info,waypoint_user::proxy=debug
";
