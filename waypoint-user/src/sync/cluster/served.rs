//! Which of the kinds an API server serves, and in which version.
//!
//! It watches nothing.
//!
//! **Invariant:** a server that is still starting does not make a kind count as absent.

use kube::{
    Client,
    core::{Request, params::ListParams},
};

use super::{failure::Failure, kinds::Kind};

/// The version that a kind is served in, of those that we understand the best; none if the server
/// does not have it.
pub(super) async fn version(
    client: &Client,
    kind: &'static Kind,
) -> Result<Option<&'static str>, Failure> {
    if kind.is_built_in() {
        return Ok(kind.versions.first().copied());
    }
    for version in kind.versions {
        match client.list_api_group_resources(&kind.api_version(version)).await {
            Ok(listed) if listed.resources.iter().any(|one| one.name == kind.plural) => {
                return Ok(Some(version));
            }
            Ok(_) => {}
            Err(cause) => match Failure::from(cause) {
                Failure::NotServed => {}
                failure => return Err(failure),
            },
        }
    }
    is_started(client).await.map(|()| None)
}

/// Fails while the server does not know yet what it serves.
async fn is_started(client: &Client) -> Result<(), Failure> {
    let request = Request::new("/readyz").list(&ListParams::default());
    let request = request.map_err(|cause| Failure::Failed(cause.to_string()))?;
    match client.request_text(request).await.map_err(Failure::from) {
        // Some clusters do not tell just anybody.
        Ok(_) | Err(Failure::Denied(_) | Failure::NotServed) => Ok(()),
        Err(failure) => Err(failure),
    }
}
