//! What the admin endpoint answers.

use std::fmt::Write as _;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;

use super::{Content, connection::Answer};

/// Answers a request.
pub(super) fn answer<B>(request: &Request<B>, content: &Content) -> Answer {
    let read = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/logging" => logging(request, content),
        "/" if read => page(StatusCode::OK, TEXT, INDEX.to_owned()),
        "/metrics" | "/stats/prometheus" if read => {
            page(StatusCode::OK, METRICS, content.registry.encode())
        }
        "/healthz/ready" if read => ready(content),
        "/config_dump" if read => page(StatusCode::OK, JSON, (content.config)()),
        "/" | "/metrics" | "/stats/prometheus" | "/healthz/ready" | "/config_dump" => {
            page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n".to_owned())
        }
        _ => page(StatusCode::NOT_FOUND, TEXT, format!("no such page\n\n{INDEX}")),
    }
}

/// Whether all gates are open, and otherwise which are not and why.
fn ready(content: &Content) -> Answer {
    let closed = content.readiness.closed();
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

/// An answer with a type and a text.
fn page(status: StatusCode, content_type: &'static str, text: String) -> Answer {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let content_type = header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4";
const JSON: &str = "application/json";

const INDEX: &str = "\
waypointd

GET  /metrics                 metrics in Prometheus' text format (also /stats/prometheus)
GET  /healthz/ready           200 when ready, else 503 and what is missing
GET  /config_dump             the configuration in force, as JSON
GET  /logging                 the level of the log
POST /logging?level=LEVEL     change it: warn, info, debug, or info,waypoint_user::proxy=debug
";
