//! The authority's keys in a Secret: made at the first start, read again whenever it changes.
//!
//! The Secret's keys are the names of [`Material`], so an operator exchanges roots in it as in a
//! directory. Every replica of the controller signs by the same Secret.
//!
//! **Invariant:** a Secret that does not fit together, or is deleted, leaves in force what was.
//! **Invariant:** what is in the Secret is never replaced, only completed.

use std::{collections::BTreeMap, pin::pin, sync::Arc};

use futures_util::StreamExt;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
    runtime::{WatchStreamExt, watcher},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    identity::ca::{Contents, Following, Material, MaterialError},
    mesh::object::ObjectName,
    telemetry::task,
};

/// Reads the Secret, completes it, and follows it until shutdown.
pub async fn follow(
    client: &Client,
    place: &ObjectName,
    trust_domain: &str,
    shutdown: CancellationToken,
) -> Result<Following, Error> {
    let kept = Kept {
        api: Api::namespaced(client.clone(), &place.namespace),
        place: place.clone(),
        trust_domain: trust_domain.to_owned(),
    };
    let (sender, contents) = watch::channel(Arc::new(kept.open().await?));
    let follower = task::spawn("ca-secret", async move {
        shutdown.run_until_cancelled(kept.run(sender)).await;
    });
    Ok(Following { contents, follower })
}

/// A Secret.
struct Kept {
    api: Api<Secret>,
    place: ObjectName,
    trust_domain: String,
}

impl Kept {
    /// Reads the Secret, and writes into it what is missing. Several replicas may do so at once:
    /// one of them is first, and the others read what it made.
    async fn open(&self) -> Result<Contents, Error> {
        for _ in 0..ATTEMPTS {
            let found =
                self.api.get_opt(&self.place.name).await.map_err(|cause| self.ask(cause))?;
            let material = found.as_ref().map(material).unwrap_or_default();
            let missing = material.missing(&self.trust_domain).map_err(|cause| self.of(cause))?;
            if missing.is_empty() {
                return self.load(&material);
            }
            match self.complete(found, missing).await {
                Err(kube::Error::Api(status)) if status.code == CONFLICT => {}
                outcome => outcome.map_err(|cause| self.ask(cause))?,
            }
        }
        Err(Error::Busy { place: self.place.clone() })
    }

    async fn complete(
        &self,
        found: Option<Secret>,
        missing: Vec<(&'static str, String)>,
    ) -> Result<(), kube::Error> {
        let (is_new, mut secret) = (found.is_none(), found.unwrap_or_else(|| self.empty()));
        let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
        tracing::info!(secret = %self.place, ?names, "making what the authority lacks");
        let data = secret.data.get_or_insert_default();
        for (name, text) in missing {
            data.insert(name.to_owned(), ByteString(text.into_bytes()));
        }
        let params = PostParams::default();
        if is_new {
            self.api.create(&params, &secret).await?;
        } else {
            // With the version that was read: it fails if somebody else wrote meanwhile.
            self.api.replace(&self.place.name, &params, &secret).await?;
        }
        Ok(())
    }

    fn empty(&self) -> Secret {
        let labels = [("app.kubernetes.io/part-of", "waypoint")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Secret {
            metadata: ObjectMeta {
                name: Some(self.place.name.clone()),
                namespace: Some(self.place.namespace.clone()),
                labels: Some(BTreeMap::from(labels)),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        }
    }

    /// Takes every change that fits together.
    async fn run(&self, sender: watch::Sender<Arc<Contents>>) {
        let only = watcher::Config::default().fields(&format!("metadata.name={}", self.place.name));
        let mut events = pin!(watcher(self.api.clone(), only).default_backoff());
        let mut seen = None;
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Apply(secret) | watcher::Event::InitApply(secret)) => {
                    let material = material(&secret);
                    if seen.replace(material.clone()).as_ref() != Some(&material) {
                        self.take(&material, &sender);
                    }
                }
                Ok(watcher::Event::Delete(_)) => {
                    let secret = &self.place;
                    tracing::error!(%secret, "the authority's Secret was deleted; put it back: its \
                        keys are in force until this process ends");
                }
                Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
                Err(cause) => {
                    tracing::warn!(secret = %self.place, %cause, "watching the authority's Secret");
                }
            }
        }
    }

    fn take(&self, material: &Material, sender: &watch::Sender<Arc<Contents>>) {
        match self.load(material) {
            Ok(contents) => {
                let roots = contents.authority.roots().len();
                tracing::info!(secret = %self.place, roots, "the authority's Secret was read");
                sender.send_replace(Arc::new(contents));
            }
            Err(cause) => tracing::warn!(%cause, "the authority stays as it was"),
        }
    }

    fn load(&self, material: &Material) -> Result<Contents, Error> {
        material.open(&self.trust_domain).map_err(|cause| self.of(cause))
    }

    fn of(&self, cause: MaterialError) -> Error {
        Error::Material { place: self.place.clone(), cause }
    }

    fn ask(&self, cause: kube::Error) -> Error {
        Error::Api { place: self.place.clone(), cause: Box::new(cause) }
    }
}

/// What is in the Secret.
fn material(secret: &Secret) -> Material {
    let data = secret.data.iter().flatten();
    Material::new(data.map(|(name, content)| (name.clone(), content.0.clone())))
}

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Secret cannot be read or written.
    #[error(
        "the authority's Secret {place}: {cause}; the controller's service account must be allowed \
         to get, list, watch, create and update it"
    )]
    Api {
        /// The Secret.
        place: ObjectName,
        /// Why not.
        cause: Box<kube::Error>,
    },
    /// What is in it does not fit together.
    #[error("the authority's Secret {place}, key {cause}; mend it, or delete it to get a new root")]
    Material {
        /// The Secret.
        place: ObjectName,
        /// What is wrong.
        cause: MaterialError,
    },
    /// Others write it all the time.
    #[error("the authority's Secret {place} changes whenever it is completed; who else writes it?")]
    Busy {
        /// The Secret.
        place: ObjectName,
    },
}

/// The Secret's name.
pub const SECRET: &str = "waypoint-ca";
/// How often the Secret is completed while others write it too.
const ATTEMPTS: u32 = 8;
/// The API server's answer to a write of something that changed since it was read.
const CONFLICT: u16 = 409;
