//! Kubernetes Events (events.k8s.io/v1) for what a person must act on.
//!
//! It does not decide what that is.
//!
//! **Invariant:** the same is told once for as long as the API server keeps it, also by another
//! controller: an Event's name is made of what it says.
//! **Invariant:** so many are remembered and so many wait; more are counted and not told.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::telemetry::metrics::{Limit, Registry};

use super::writer::FIELD_MANAGER;

/// Something to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Tale {
    /// What it is about.
    pub about: ObjectReference,
    /// Whether all is well, or somebody must act.
    pub mood: Mood,
    /// One CamelCase word.
    pub reason: String,
    /// A sentence.
    pub note: String,
}

/// Whether all is well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mood {
    /// All is well.
    Normal,
    /// Somebody must act.
    Warning,
}

/// Where to tell; clones share it.
#[derive(Clone, Debug)]
pub struct Events {
    queue: mpsc::Sender<Tale>,
    told: Arc<Mutex<BTreeMap<String, Instant>>>,
    limit: Limit,
}

impl Events {
    /// Where to tell, and what takes it to the API server: [`Post::run`].
    pub fn new(client: Client, teller: String, registry: &Registry) -> (Self, Post) {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let limit = registry.limit("events");
        (Self { queue, told: Arc::default(), limit }, Post { client, teller, waiting })
    }

    /// Tells, unless that was told lately. It does not wait.
    pub fn tell(&self, tale: Tale) {
        let (name, now) = (name(&tale), Instant::now());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(&name).is_some_and(|at| now < *at + KEPT) {
            return;
        }
        if told.len() >= REMEMBERED_MAX {
            told.retain(|_, at| now < *at + KEPT);
        }
        if told.len() >= REMEMBERED_MAX || self.queue.try_send(tale).is_err() {
            self.limit.hit();
            return;
        }
        told.insert(name, now);
    }
}

/// What takes Events to the API server.
pub struct Post {
    client: Client,
    teller: String,
    waiting: mpsc::Receiver<Tale>,
}

impl Post {
    /// Takes them there, one by one, until shutdown.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let posting = async {
            while let Some(tale) = self.waiting.recv().await {
                self.post(&tale).await;
                tokio::time::sleep(PACE).await;
            }
        };
        shutdown.run_until_cancelled(posting).await;
    }

    async fn post(&self, tale: &Tale) {
        // Events about objects without a namespace are in this one.
        let namespace = tale.about.namespace.as_deref().unwrap_or("default");
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let event = self.event(tale, namespace);
        let params =
            PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let create = api.create(&params, &event);
        match tokio::time::timeout(super::ANSWER_PATIENCE, create).await {
            Ok(Ok(_)) => {}
            Ok(Err(kube::Error::Api(status))) if status.is_already_exists() => {}
            Ok(Err(cause)) => tracing::warn!(%cause, note = tale.note, "an Event is not told"),
            Err(_) => tracing::warn!(note = tale.note, "an Event is not told: no answer"),
        }
    }

    fn event(&self, tale: &Tale, namespace: &str) -> Event {
        Event {
            metadata: ObjectMeta {
                name: Some(name(tale)),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(Timestamp::now())),
            reporting_controller: Some(FIELD_MANAGER.to_owned()),
            reporting_instance: Some(self.teller.clone()),
            action: Some(ACTION.to_owned()),
            reason: Some(cut(&tale.reason, REASON_MAX)),
            note: Some(cut(&tale.note, NOTE_MAX)),
            regarding: Some(tale.about.clone()),
            type_: Some(match tale.mood {
                Mood::Normal => "Normal".to_owned(),
                Mood::Warning => "Warning".to_owned(),
            }),
            ..Event::default()
        }
    }
}

/// The name of an Event that says this.
fn name(tale: &Tale) -> String {
    let mut hasher = DefaultHasher::new();
    let about = &tale.about;
    (&about.kind, &about.namespace, &about.name, &about.uid, &tale.reason, &tale.note)
        .hash(&mut hasher);
    let about = about.name.as_deref().unwrap_or("cluster");
    format!("{}.{:016x}", cut(about, NAME_MAX), hasher.finish())
}

/// The beginning of a text, whole characters only.
fn cut(text: &str, length_max: usize) -> String {
    let end = (0..=length_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default().to_owned()
}

/// For how long the same is not told again; API servers keep Events for an hour.
const KEPT: Duration = Duration::from_hours(1);
/// How many are remembered.
const REMEMBERED_MAX: usize = 4096;
/// How many wait for the API server.
const WAITING_MAX: usize = 256;
/// How long to wait after each, so that a bad day does not become a flood.
const PACE: Duration = Duration::from_millis(20);
/// What we were doing, for all Events.
const ACTION: &str = "Reconcile";
/// Longest name of an object in the name of an Event.
const NAME_MAX: usize = 200;
/// Longest reason that the API takes.
const REASON_MAX: usize = 128;
/// Longest note that the API takes is 1024 bytes.
const NOTE_MAX: usize = 1023;

#[cfg(test)]
mod tests;
