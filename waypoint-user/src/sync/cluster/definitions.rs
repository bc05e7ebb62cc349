//! Which kinds are installed in a cluster, by its CustomResourceDefinitions.
//!
//! A server goes on for minutes with watches of a kind that was removed, and says nothing in them
//! even when the kind is installed again. Whoever must not read definitions still finds kinds that
//! appear, by asking from time to time; see `served`.
//!
//! **Invariant:** what is told is what a complete list said, and what changed since.

use std::{collections::BTreeMap, sync::Arc};

use kube::Client;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::telemetry::task;

use super::{
    Pace,
    counts::Counts,
    kinds::DEFINITION,
    news::{Change, News},
    raw::Document,
    selection::Selection,
    watcher::Watcher,
};

/// The uids of definitions, by name; none while they are not known.
pub(super) type Installed = Option<BTreeMap<String, String>>;

/// Follows the definitions of a cluster for as long as the handle lives.
pub(super) fn follow(
    client: Client,
    pace: Pace,
    counts: Arc<Counts>,
) -> (watch::Receiver<Installed>, AbortOnDropHandle<()>) {
    let (sender, news) = mpsc::channel(NEWS_MAX);
    let (installed, receiver) = watch::channel(None);
    let selection = Arc::new(Selection::all(&DEFINITION));
    // Nobody has to tell whether this kind itself is installed.
    let unknown = watch::channel(None).1;
    let watcher = Watcher::new((client, unknown), selection, pace, sender, counts);
    let following = async move {
        tokio::join!(watcher.run(), publish(news, installed));
    };
    (receiver, AbortOnDropHandle::new(task::spawn("definitions", following)))
}

/// Publishes what there is after every change of it, also one that only a status tells of.
async fn publish(mut news: mpsc::Receiver<News>, installed: watch::Sender<Installed>) {
    let (mut listing, mut is_listing) = (BTreeMap::new(), false);
    while let Some(News { change, .. }) = news.recv().await {
        match change {
            Change::Listing => (listing, is_listing) = (BTreeMap::new(), true),
            Change::Listed(documents) => listing.extend(documents.iter().map(entry)),
            Change::Complete if is_listing => {
                is_listing = false;
                installed.send_replace(Some(std::mem::take(&mut listing)));
            }
            Change::Applied(document) => installed.send_modify(|installed| {
                installed.get_or_insert_default().extend([entry(&document)]);
            }),
            Change::Deleted(document) => installed.send_modify(|installed| {
                installed.get_or_insert_default().remove(&document.name.name);
            }),
            _ => {}
        }
    }
}

fn entry(document: &Document) -> (String, String) {
    let uid = document.value.pointer("/metadata/uid").and_then(Value::as_str);
    (document.name.name.clone(), uid.unwrap_or_default().to_owned())
}

/// Most news that wait to be taken.
const NEWS_MAX: usize = 16;
