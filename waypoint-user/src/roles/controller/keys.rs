//! Where the authority's keys are, and by which tokens its callers are known.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::Config;
use crate::{
    control::authority::{self, Reviews},
    identity::{
        ca::{Following, directory},
        service::{Authenticate, access::FileTokens},
        token::Caller,
    },
    mesh::object::ObjectName,
    roles::Error,
    sync::cluster,
};

/// The authority's keys.
pub(super) struct Keys {
    pub(super) following: Following,
    pub(super) authenticate: Arc<dyn Authenticate>,
    /// Where they are, for people.
    pub(super) place: String,
}

/// Reads the keys; makes them where there are none.
pub(super) async fn open(
    config: &Config,
    trust_domain: &str,
    shutdown: CancellationToken,
) -> Result<Keys, Error> {
    let client = match &config.cluster {
        Some(cluster) => Some(cluster::connect(&cluster.access).await?),
        None => None,
    };
    let (following, place) = match (&config.ca_dir, &config.cluster, &client) {
        (Some(path), _, _) => {
            (directory::follow(path, trust_domain, shutdown)?, path.display().to_string())
        }
        (None, Some(cluster), Some(client)) => {
            let secret = ObjectName::new(&cluster.settings.namespace, authority::SECRET);
            let followed = authority::follow(client, &secret, trust_domain, shutdown).await?;
            (followed, format!("Secret {secret}"))
        }
        _ => return Err(Error::NoKeys),
    };
    let files = FileTokens::new(following.contents.clone());
    let authenticate: Arc<dyn Authenticate> = match (client, &config.cluster) {
        (Some(client), Some(cluster)) => {
            let settings = &cluster.settings;
            let agents = vec![ObjectName::new(&settings.namespace, &settings.agent_account)];
            Arc::new(Either(files, Reviews::new(client, agents, trust_domain)))
        }
        _ => Arc::new(files),
    };
    Ok(Keys { following, authenticate, place })
}

/// The names by which the authority is reached; in a cluster those of its Service too.
pub(super) fn names(config: &Config) -> Vec<String> {
    let mut names = config.ca_names.clone();
    if let Some(cluster) = &config.cluster {
        let settings = &cluster.settings;
        let (namespace, domain) = (&settings.namespace, &settings.mesh.cluster_domain);
        let host = settings.ca_address.rsplit_once(':').map_or("", |(host, _)| host);
        names.extend((!host.is_empty()).then(|| host.trim_matches(['[', ']']).to_owned()));
        names.push(format!("{SERVICE}.{namespace}.svc"));
        names.push(format!("{SERVICE}.{namespace}.svc.{domain}"));
    }
    names
}

/// Callers by the one kind of token or by the other. Our own are asked about first, which costs no
/// request.
struct Either(FileTokens, Reviews);

impl Authenticate for Either {
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, String>> {
        Box::pin(async move {
            match self.0.authenticate(token).await {
                Ok(caller) => Ok(caller),
                Err(_) => self.1.authenticate(token).await,
            }
        })
    }
}

/// The Service of the authority.
const SERVICE: &str = "waypoint-controller";
