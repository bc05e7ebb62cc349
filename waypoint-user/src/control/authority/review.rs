//! Who asks for a certificate, by a token of the cluster (Istio `security/pkg/k8s/tokenreview`,
//! `security/pkg/server/ca/node_auth.go`).
//!
//! What a caller may have is `identity`'s to say.
//!
//! **Invariant:** a token that the API server does not vouch for, now, is nobody's.
//! **Invariant:** a node is known only by a token that is bound to a pod on it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::{Api, Client, api::PostParams};
use tokio::sync::Semaphore;

use crate::{
    identity::token::{AUDIENCE, Authenticate, Caller},
    mesh::{object::ObjectName, spiffe::SpiffeId},
};

/// Asks the API server whose a token is.
#[derive(Clone)]
pub struct Reviews {
    api: Api<TokenReview>,
    known: Known,
    places: Arc<Semaphore>,
}

/// What tokens are judged by.
#[derive(Clone, Debug)]
struct Known {
    /// Service accounts of agents, which ask for the pods of their nodes.
    agents: Vec<ObjectName>,
    trust_domain: String,
}

impl Reviews {
    /// Reviews of a cluster whose agents run under these service accounts.
    pub fn new(client: Client, agents: Vec<ObjectName>, trust_domain: &str) -> Self {
        let known = Known { agents, trust_domain: trust_domain.to_owned() };
        Self { api: Api::all(client), known, places: Arc::new(Semaphore::new(REVIEWS_MAX)) }
    }

    async fn review(&self, token: &str) -> Result<Caller, String> {
        let _place = self.places.acquire().await.map_err(|cause| cause.to_string())?;
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: token.to_owned(),
                audiences: Some(vec![AUDIENCE.to_owned()]),
            },
            ..TokenReview::default()
        };
        let answer = self.api.create(&PostParams::default(), &review).await;
        let answer = answer.map_err(|cause| format!("it cannot be reviewed: {cause}"))?;
        self.known.caller(&answer.status.unwrap_or_default())
    }
}

impl Authenticate for Reviews {
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, String>> {
        Box::pin(self.review(token))
    }
}

impl Known {
    /// Whose token it is, by what the API server says of it.
    fn caller(&self, status: &TokenReviewStatus) -> Result<Caller, String> {
        if status.authenticated != Some(true) {
            let cause = status.error.as_deref().unwrap_or("it is nobody's");
            return Err(cause.to_owned());
        }
        // An API server that knows nothing of audiences would answer without any.
        if !status.audiences.iter().flatten().any(|audience| audience == AUDIENCE) {
            return Err(format!("it is not for {AUDIENCE}"));
        }
        let user = status.user.clone().unwrap_or_default();
        let name = user.username.unwrap_or_default();
        let account = name.strip_prefix(SERVICE_ACCOUNT).and_then(|rest| rest.split_once(':'));
        let Some((namespace, account)) = account else {
            return Err(format!("{name:?} is no service account"));
        };
        let is_agent =
            self.agents.iter().any(|one| one.namespace == namespace && one.name == account);
        if !is_agent {
            let identity = SpiffeId::new(&self.trust_domain, namespace, account);
            return Ok(Caller::Workload(identity));
        }
        let extra = user.extra.unwrap_or_default();
        let of_pod = |key: &str| extra.get(key)?.first().filter(|value| !value.is_empty());
        match (of_pod(POD_UID), of_pod(NODE_NAME)) {
            (Some(_), Some(node)) => Ok(Caller::Node(node.clone())),
            _ => Err(format!("{name} has a token that is bound to no pod of a node")),
        }
    }
}

/// How many tokens are reviewed at once; whoever comes then waits for a place, as long as requests
/// may take.
const REVIEWS_MAX: usize = 16;
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";

#[cfg(test)]
mod tests;
