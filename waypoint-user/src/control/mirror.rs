//! What is in the cluster of one kind, as it is now: objects that the feed has not, or not whole.
//!
//! It translates nothing.
//!
//! **Invariant:** there is nothing before the first list is complete, and then always all of it.

use std::{collections::BTreeMap, pin::pin, sync::Arc};

use futures_util::StreamExt;
use kube::{
    Api, Client, ResourceExt,
    api::DynamicObject,
    runtime::{WatchStreamExt, watcher},
};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::{mesh::object::ObjectName, telemetry::task};

use super::kind::Kind;

/// Objects by name.
pub type Shelf = BTreeMap<ObjectName, Arc<Value>>;

/// What of a kind is followed.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// A namespace, or all.
    pub namespace: Option<String>,
    /// A label selector.
    pub labels: Option<String>,
    /// A field selector.
    pub fields: Option<String>,
}

/// The objects of a kind; they are followed until it is dropped.
#[derive(Debug)]
pub struct Mirror {
    shelf: watch::Receiver<Option<Arc<Shelf>>>,
    _follower: AbortOnDropHandle<()>,
}

impl Mirror {
    /// Follows; `bell` is rung at every change.
    pub fn follow(client: Client, kind: Kind, scope: Scope, bell: Arc<Notify>) -> Self {
        let (sender, shelf) = watch::channel(None);
        let following = async move {
            follow(client, kind, scope, |all| {
                sender.send_replace(Some(all));
                bell.notify_one();
            })
            .await;
        };
        let follower = AbortOnDropHandle::new(task::spawn("mirror", following));
        Self { shelf, _follower: follower }
    }

    /// The objects, once they are known.
    pub fn shelf(&self) -> Option<Arc<Shelf>> {
        self.shelf.borrow().clone()
    }
}

/// Lists and watches for ever.
async fn follow(client: Client, kind: Kind, scope: Scope, publish: impl Fn(Arc<Shelf>)) {
    let resource = kind.resource();
    let api: Api<DynamicObject> = match &scope.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let config = watcher::Config {
        label_selector: scope.labels,
        field_selector: scope.fields,
        ..watcher::Config::default()
    };
    let mut events = pin!(watcher(api, config).default_backoff());
    let (mut all, mut listing) = (Arc::new(Shelf::new()), Shelf::new());
    let mut healthy = true;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                healthy = true;
                if turn(event, &mut all, &mut listing) {
                    publish(Arc::clone(&all));
                }
            }
            // What is known stays; the stream begins again by itself, ever more slowly.
            Err(cause) => {
                if std::mem::take(&mut healthy) {
                    tracing::warn!(kind = kind.name, %cause, "objects cannot be followed");
                }
            }
        }
    }
}

/// Takes one event; says whether all that is known changed.
fn turn(event: watcher::Event<DynamicObject>, all: &mut Arc<Shelf>, listing: &mut Shelf) -> bool {
    match event {
        watcher::Event::Init => listing.clear(),
        watcher::Event::InitApply(object) => put(listing, &object),
        watcher::Event::InitDone => {
            *all = Arc::new(std::mem::take(listing));
            return true;
        }
        watcher::Event::Apply(object) => {
            put(Arc::make_mut(all), &object);
            return true;
        }
        watcher::Event::Delete(object) => {
            Arc::make_mut(all).remove(&name(&object));
            return true;
        }
    }
    false
}

fn put(shelf: &mut Shelf, object: &DynamicObject) {
    if let Ok(value) = serde_json::to_value(object) {
        shelf.insert(name(object), Arc::new(value));
    }
}

fn name(object: &DynamicObject) -> ObjectName {
    ObjectName::new(object.namespace().unwrap_or_default(), object.name_any())
}
