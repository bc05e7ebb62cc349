//! One pod of a waypoint, asked what it applies.
//!
//! It believes what it hears: all that depends on it is a condition.
//!
//! **Invariant:** an answer is no longer than [`ANSWER_BYTES_MAX`], and nothing takes longer than
//! [`ANSWER_TIMEOUT`].

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::HOST,
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{
    net::TcpStream,
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::{
    mesh::object::{ObjectName, ObjectRef, Version},
    telemetry::task,
};

use super::applied::{Routes, Said};

/// Asks a pod until nobody listens; a pod that does not answer is asked ever more rarely.
pub(super) async fn again_and_again(address: SocketAddr, uid: Arc<str>, said: mpsc::Sender<Said>) {
    let mut pause = PAUSE_MIN;
    loop {
        let cause = match follow(address, &uid, &said, &mut pause).await {
            Ok(()) => return,
            Err(cause) => cause,
        };
        tracing::debug!(%address, %cause, "a waypoint does not say what it applies");
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Asks over one connection, again whenever there is something new, until nobody listens.
async fn follow(
    address: SocketAddr,
    uid: &Arc<str>,
    said: &mpsc::Sender<Said>,
    pause: &mut Duration,
) -> Result<(), Error> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await??;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    task::spawn("waypoint's answers", async move {
        // Why a connection ends is told to whoever asks over it.
        let _ = connection.await;
    });
    let mut version = None;
    loop {
        let asked = ask(&mut requests, address, version.as_deref());
        let page = timeout(ANSWER_TIMEOUT, asked).await??;
        if version.as_ref() == Some(&page.version) {
            // Whoever has nothing new takes its time; should it not, we do.
            sleep(PAUSE_MIN).await;
        } else {
            version = Some(page.version.clone());
            if said.send((Arc::clone(uid), page.routes())).await.is_err() {
                return Ok(());
            }
        }
        *pause = PAUSE_MIN;
    }
}

async fn ask(
    requests: &mut SendRequest<Empty<Bytes>>,
    address: SocketAddr,
    after: Option<&str>,
) -> Result<Page, Error> {
    let path = after.map_or("/applied".to_owned(), |after| format!("/applied?after={after}"));
    let request = Request::get(path).header(HOST, address.to_string()).body(Empty::new())?;
    requests.ready().await?;
    let response = requests.send_request(request).await?;
    if response.status() != StatusCode::OK {
        return Err(Error::Status(response.status()));
    }
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(Error::Body)?.to_bytes();
    Ok(serde_json::from_slice(&body)?)
}

/// What a waypoint says.
#[derive(Deserialize)]
struct Page {
    version: String,
    routes: std::collections::BTreeMap<String, Vec<Route>>,
}

#[derive(Deserialize)]
struct Route {
    namespace: String,
    name: String,
    uid: String,
    generation: i64,
}

impl Page {
    fn routes(self) -> Routes {
        let of_kinds = self.routes.into_iter();
        let routes = of_kinds.flat_map(|(kind, routes)| {
            routes.into_iter().map(move |route| {
                let name = ObjectName::new(route.namespace, route.name);
                let version = Version { uid: route.uid, generation: route.generation };
                (ObjectRef::new(kind.clone(), name), version)
            })
        });
        routes.collect()
    }
}

/// Why a pod does not say what it applies.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("it does not answer in time")]
    Late(#[from] tokio::time::error::Elapsed),
    #[error(transparent)]
    Connect(#[from] std::io::Error),
    #[error(transparent)]
    Protocol(#[from] hyper::Error),
    #[error(transparent)]
    Request(#[from] http::Error),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("its answer: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("its answer is not understood: {0}")]
    Page(#[from] serde_json::Error),
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longer than waypoints let anybody wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(45);
/// Room for some ten thousand routes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long after a failure a pod is asked again, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
