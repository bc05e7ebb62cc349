//! Answering one request: who asks, for whom, may they, and the certificate.

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use tokio::{sync::watch, time::timeout};
use tonic::{Request, Response, Status, body::Body, server::UnaryService};
use tonic_prost::ProstCodec;

use super::{
    Authenticate, Authorise,
    limits::{Limits, REQUEST_BYTES_MAX, REQUEST_PATIENCE},
};
use crate::{
    identity::{
        ca::Contents,
        certificate,
        issuer::{Issued, Refusal, SigningRequest},
        token::Caller,
        wire::{CertificateRequest, CertificateResponse, PATH},
    },
    mesh::spiffe::SpiffeId,
    telemetry::metrics::Registry,
};

/// What answers.
pub(super) struct Answering {
    contents: watch::Receiver<Arc<Contents>>,
    authenticate: Arc<dyn Authenticate>,
    authorise: Arc<dyn Authorise>,
    lifetime_max: Duration,
    outcomes: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

impl Answering {
    pub(super) fn new(
        contents: watch::Receiver<Arc<Contents>>,
        authenticate: Arc<dyn Authenticate>,
        authorise: Arc<dyn Authorise>,
        lifetime_max: Duration,
        registry: &Registry,
    ) -> Self {
        let outcomes: Arc<Mutex<BTreeMap<&'static str, u64>>> = Arc::default();
        let counted = Arc::clone(&outcomes);
        registry.counter_source(
            "waypoint_ca_requests_total",
            "Requests for certificates, by what became of them.",
            "outcome",
            move || {
                let outcomes = counted.lock().unwrap_or_else(PoisonError::into_inner);
                outcomes.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
            },
        );
        Self { contents, authenticate, authorise, lifetime_max, outcomes }
    }

    /// Answers one HTTP request.
    pub(super) async fn respond(
        self: Arc<Self>,
        request: http::Request<Incoming>,
        limits: &Limits,
    ) -> http::Response<Body> {
        if request.uri().path() != PATH {
            return Status::unimplemented("no such method").into_http();
        }
        let Some(_place) = limits.request() else {
            self.count("too_many");
            return Status::resource_exhausted("too many requests; come again").into_http();
        };
        let codec = ProstCodec::<CertificateResponse, CertificateRequest>::default();
        let mut grpc = tonic::server::Grpc::new(codec).max_decoding_message_size(REQUEST_BYTES_MAX);
        match timeout(REQUEST_PATIENCE, grpc.unary(Method(self), request)).await {
            Ok(response) => response,
            Err(_) => Status::deadline_exceeded("the request did not come whole").into_http(),
        }
    }

    /// Answers one message.
    async fn create(
        &self,
        request: Request<CertificateRequest>,
    ) -> Result<Response<CertificateResponse>, Status> {
        let token = bearer(&request).map(str::to_owned);
        let request = request.into_inner();
        let (caller, identity) = self.admit(token.as_deref(), &request).await?;
        let lifetime = u64::try_from(request.validity_duration).ok().filter(|wish| *wish > 0);
        let lifetime = lifetime.map_or(self.lifetime_max, Duration::from_secs);
        let lifetime = lifetime.min(self.lifetime_max);
        let identity = Arc::new(identity);
        let wish = SigningRequest { identity: Arc::clone(&identity), csr: request.csr, lifetime };
        let contents = Arc::clone(&self.contents.borrow());
        match contents.authority.answer(&wish) {
            Ok(issued) => {
                self.count("issued");
                tracing::info!(%identity, ?caller, ?lifetime, "certificate");
                Ok(Response::new(respond(&issued)))
            }
            Err(Refusal::Refused(cause)) => {
                self.count("malformed");
                tracing::warn!(%identity, ?caller, cause, "a request is not as it should be");
                Err(Status::invalid_argument(cause))
            }
            Err(cause) => {
                self.count("failed");
                tracing::error!(%identity, %cause, "a certificate could not be made");
                Err(Status::internal("the certificate could not be made"))
            }
        }
    }

    /// Who asks, and for whom, if they may.
    async fn admit(
        &self,
        token: Option<&str>,
        request: &CertificateRequest,
    ) -> Result<(Caller, SpiffeId), Status> {
        let token = token.ok_or_else(|| self.refuse(&"no bearer token"))?;
        let caller = self.authenticate.authenticate(token).await;
        let caller = caller.map_err(|cause| self.refuse(&format!("its token: {cause}")))?;
        let identity = match (request.impersonated(), &caller) {
            (Some(uri), _) => SpiffeId::parse(uri).ok_or_else(|| format!("{uri:?} is no identity")),
            (None, Caller::Workload(own)) => Ok(own.clone()),
            (None, Caller::Node(_)) => Err("a node asks for itself".to_owned()),
        };
        let identity = identity.map_err(|cause| self.refuse(&format!("{caller:?}: {cause}")))?;
        let may = self.authorise.authorise(&caller, &identity);
        may.map_err(|cause| self.refuse(&format!("{caller:?} for {identity}: {cause}")))?;
        Ok((caller, identity))
    }

    /// Refuses without a reason that would help to guess.
    fn refuse(&self, cause: &dyn Display) -> Status {
        self.count("unauthenticated");
        tracing::warn!(%cause, "a request is refused");
        Status::unauthenticated("request authenticate failure")
    }

    fn count(&self, outcome: &'static str) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        *outcomes.entry(outcome).or_default() += 1;
    }
}

/// The token of a request.
fn bearer(request: &Request<CertificateRequest>) -> Option<&str> {
    let field = request.metadata().get("authorization")?.to_str().ok()?;
    let (scheme, token) = field.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The chain as Istio's clients read it.
fn respond(issued: &Issued) -> CertificateResponse {
    let mut cert_chain = vec![certificate::to_pem(&issued.leaf)];
    cert_chain.extend(issued.intermediates.iter().map(certificate::to_pem));
    cert_chain.push(issued.roots.iter().map(certificate::to_pem).collect());
    CertificateResponse { cert_chain }
}

/// The method, as tonic calls it.
struct Method(Arc<Answering>);

impl UnaryService<CertificateRequest> for Method {
    type Response = CertificateResponse;
    type Future = BoxFuture<'static, Result<Response<CertificateResponse>, Status>>;

    fn call(&mut self, request: Request<CertificateRequest>) -> Self::Future {
        let answering = Arc::clone(&self.0);
        Box::pin(async move { answering.create(request).await })
    }
}
