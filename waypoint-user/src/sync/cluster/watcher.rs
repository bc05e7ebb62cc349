//! One selection, listed and then watched for as long as anybody wants to know.
//!
//! kube's own watcher does not say when a watch that broke is back, nor when it heard of the server
//! last; whoever reads a cluster for enforcement has to know both. It translates nothing.
//!
//! **Invariant:** a list is at least as new as the moment when it was asked for, and what is
//! watched goes on where the list ended.
//! **Invariant:** a failure takes nothing away that was read before.

pub(super) mod listing;
mod presence;

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt};
use kube::{Client, core::WatchEvent};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};

use super::{
    Pace,
    counts::Counts,
    definitions::Installed,
    failure::Failure,
    news::{Change, News},
    raw::{Document, Raw},
    selection::Selection,
    served,
};
use listing::Listing;
use presence::Presence;

type Events = Pin<Box<dyn Stream<Item = Result<WatchEvent<Raw>, kube::Error>> + Send>>;

/// Where a watch goes on.
#[derive(Clone, Debug)]
struct Position {
    /// The API version that objects are read in.
    api: &'static str,
    /// The resource version of what was heard last.
    version: String,
}

/// Watches one selection.
pub(super) struct Watcher {
    client: Client,
    installed: watch::Receiver<Installed>,
    selection: Arc<Selection>,
    pace: Pace,
    news: mpsc::Sender<News>,
    counts: Arc<Counts>,
    /// The uid of the definition under which it was listed, if that is known.
    definition: Option<String>,
    position: Option<Position>,
    /// Whether lists are asked for as the beginning of a watch.
    streams_lists: bool,
    /// How often it failed since it worked last.
    failures: u32,
    /// Whether somebody was told.
    is_told: bool,
    /// Whether it may be that the server does not have the kind any more.
    is_doubtful: bool,
    /// What was told of the kind last.
    presence: Presence,
}

impl Watcher {
    /// Watches the selection; nothing happens before [`Watcher::run`].
    pub(super) fn new(
        (client, installed): (Client, watch::Receiver<Installed>),
        selection: Arc<Selection>,
        pace: Pace,
        news: mpsc::Sender<News>,
        counts: Arc<Counts>,
    ) -> Self {
        let (definition, position) = (None, None);
        // The end of a list that is streamed comes with the server's next bookmark, a second later:
        // that spares a server where lists are long, and costs too much where they are short.
        let streams_lists = selection.is_whole();
        let (failures, is_told) = (0, false);
        let (is_doubtful, presence) = (false, Presence::Unknown);
        Self {
            client,
            installed,
            selection,
            pace,
            news,
            counts,
            definition,
            position,
            streams_lists,
            failures,
            is_told,
            is_doubtful,
            presence,
        }
    }

    /// Lists and watches until nobody wants to know.
    pub(super) async fn run(mut self) {
        loop {
            let began = Instant::now();
            let pause = match self.round().await {
                Ok(Round::NotServed) => {
                    // Earlier, if a definition changes.
                    let _ = timeout(self.pace.look_again, self.installed.changed()).await;
                    Duration::ZERO
                }
                Ok(Round::Ended) if began.elapsed() > SHORT => {
                    self.count("ended");
                    Duration::ZERO
                }
                Ok(Round::Ended) => {
                    self.count("ended");
                    SHORT
                }
                Err(Failure::Unwanted) => return,
                Err(failure) => match self.failed(&failure).await {
                    Ok(pause) => pause,
                    Err(_) => return,
                },
            };
            sleep(pause).await;
        }
    }

    /// One list where it is needed, and one watch until it ends.
    async fn round(&mut self) -> Result<Round, Failure> {
        let position = match self.position.clone() {
            Some(position) if !self.is_doubtful => position,
            known => {
                let look = served::version(&self.client, self.selection.kind);
                let Some(api) = within(self.pace.answer, look).await? else {
                    return self.absent().await;
                };
                self.presence = Presence::Served;
                self.is_doubtful = false;
                match known {
                    Some(position) if position.api == api => position,
                    _ if self.streams_lists => {
                        self.follow(api, None).await?;
                        return Ok(Round::Ended);
                    }
                    _ => self.list(api).await?,
                }
            }
        };
        self.follow(position.api, Some(position.version)).await?;
        Ok(Round::Ended)
    }

    /// Notes that the server has no such kind.
    async fn absent(&mut self) -> Result<Round, Failure> {
        let before = self.presence;
        self.presence = before.denied();
        if self.presence != Presence::Absent {
            return Err(Failure::NotServed);
        }
        // First, as it takes back whatever was told.
        self.recovered().await?;
        if before != Presence::Absent {
            self.position = None;
            self.tell(Change::NotServed).await?;
        }
        Ok(Round::NotServed)
    }

    /// Lists page by page.
    async fn list(&mut self, api: &'static str) -> Result<Position, Failure> {
        self.tell(Change::Listing).await?;
        let mut listing = Listing::new(&self.client, &self.selection, api);
        loop {
            let page = within(self.pace.answer, listing.page()).await?;
            self.tell(Change::Listed(self.documents(api, page))).await?;
            self.counts.heard(self.selection.kind.name);
            if let Some(version) = listing.version() {
                self.tell(Change::Complete).await?;
                let position = Position { api, version };
                self.position = Some(position.clone());
                return Ok(position);
            }
        }
    }

    /// Watches from a version, or lists and watches from there.
    async fn follow(&mut self, api: &'static str, from: Option<String>) -> Result<(), Failure> {
        let mut events = self.start(api, from.as_deref()).await?;
        let mut part = from.is_none().then(Vec::new);
        if part.is_some() {
            self.tell(Change::Listing).await?;
        }
        loop {
            let confirms = self.failures > 0 && part.is_none();
            let patience = match &part {
                Some(_) => self.pace.answer,
                None if confirms => CONFIRM,
                None => self.pace.silence,
            };
            let next = tokio::select! {
                next = timeout(patience, events.next()) => next,
                Ok(()) = self.installed.changed() => {
                    self.check_definition()?;
                    continue;
                }
            };
            let event = match next {
                // A server that refuses says so at once.
                Err(_) if confirms => {
                    self.recovered().await?;
                    continue;
                }
                Err(_) => return Err(Failure::Silent),
                Ok(None) => return Ok(()),
                Ok(Some(event)) => event?,
            };
            self.counts.heard(self.selection.kind.name);
            self.take(api, event, &mut part).await?;
        }
    }

    /// Fails if the definition is not the one under which the kind was listed.
    fn check_definition(&mut self) -> Result<(), Failure> {
        let kind = self.selection.kind;
        if let Some(installed) = &*self.installed.borrow_and_update()
            && !kind.is_built_in()
        {
            let now = installed.get(&kind.definition());
            if now.is_none() || (self.definition.is_some() && self.definition.as_ref() != now) {
                self.position = None;
                self.definition = None;
                return Err(Failure::NotServed);
            }
            self.definition = now.cloned();
        }
        Ok(())
    }

    /// Begins a watch.
    async fn start(&self, api: &str, from: Option<&str>) -> Result<Events, Failure> {
        let seconds = u32::try_from(self.pace.watch.as_secs()).unwrap_or(u32::MAX);
        let params = self.selection.watch_params(seconds, from.is_none());
        let request = self.selection.request(api).watch(&params, from.unwrap_or_default());
        let mut request = request.map_err(|cause| Failure::Failed(cause.to_string()))?;
        if self.selection.kind.only_metadata
            && let Ok(wanted) = ONLY_METADATA.parse()
        {
            request.headers_mut().insert("accept", wanted);
        }
        let started = async { Ok(self.client.request_events::<Raw>(request).await?) };
        Ok(within(self.pace.answer, started).await?.boxed())
    }

    /// Tells of one event; `part` is what was listed and not told yet, while a list goes on.
    async fn take(
        &mut self,
        api: &'static str,
        event: WatchEvent<Raw>,
        part: &mut Option<Vec<Raw>>,
    ) -> Result<(), Failure> {
        match event {
            WatchEvent::Added(raw) | WatchEvent::Modified(raw) => {
                if let Some(listed) = part {
                    listed.push(raw);
                    if listed.len() >= listing::PAGE {
                        let listed = std::mem::take(listed);
                        self.tell(Change::Listed(self.documents(api, listed))).await?;
                    }
                    return Ok(());
                }
                let version = self.at(api, raw.resource_version());
                self.object(api, raw, Change::Applied).await?;
                self.position = version;
            }
            WatchEvent::Deleted(raw) => {
                let version = self.at(api, raw.resource_version());
                self.object(api, raw, Change::Deleted).await?;
                self.position = version;
            }
            WatchEvent::Bookmark(mark) => {
                let is_end = mark.metadata.annotations.contains_key(INITIAL_EVENTS_END);
                if is_end && let Some(listed) = part.take() {
                    self.tell(Change::Listed(self.documents(api, listed))).await?;
                    self.tell(Change::Complete).await?;
                }
                if part.is_none() {
                    self.position = self.at(api, Some(&mark.metadata.resource_version));
                }
            }
            WatchEvent::Error(status) => return Err(Failure::of_status(&status)),
        }
        if part.is_none() { self.recovered().await } else { Ok(()) }
    }

    /// Where to go on after what was heard last.
    fn at(&self, api: &'static str, version: Option<&str>) -> Option<Position> {
        match version {
            Some(version) => Some(Position { api, version: version.to_owned() }),
            None => self.position.clone(),
        }
    }

    async fn object(
        &self,
        api: &'static str,
        raw: Raw,
        change: impl FnOnce(Box<Document>) -> Change,
    ) -> Result<(), Failure> {
        let kind = self.selection.kind;
        match raw.into_document(kind, &kind.api_version(api)) {
            Some(document) => self.tell(change(Box::new(document))).await,
            None => Ok(()),
        }
    }

    fn documents(&self, api: &str, raws: Vec<Raw>) -> Vec<Document> {
        let kind = self.selection.kind;
        let api = kind.api_version(api);
        raws.into_iter().filter_map(|raw| raw.into_document(kind, &api)).collect()
    }

    async fn tell(&self, change: Change) -> Result<(), Failure> {
        let (selection, heard) = (Arc::clone(&self.selection), Instant::now());
        let sent = self.news.send(News { selection, change, heard }).await;
        sent.map_err(|_| Failure::Unwanted)
    }

    /// Notes that it works, and tells so if somebody thinks otherwise.
    async fn recovered(&mut self) -> Result<(), Failure> {
        self.failures = 0;
        if std::mem::take(&mut self.is_told) {
            self.tell(Change::Recovered).await?;
        }
        Ok(())
    }

    /// Draws what follows from a failure, and says how long to wait.
    async fn failed(&mut self, failure: &Failure) -> Result<Duration, Failure> {
        self.count(failure.reason());
        tracing::debug!(selection = %self.selection, %failure, "watch");
        let is_listing = self.position.is_none();
        match failure {
            Failure::Expired => {
                self.position = None;
                return Ok(Duration::ZERO);
            }
            Failure::NotUnderstood(_) | Failure::Silent if is_listing && self.streams_lists => {
                self.streams_lists = false;
                return Ok(Duration::ZERO);
            }
            _ => {}
        }
        self.failures += 1;
        self.is_doubtful |= failure.is_doubtful();
        let is_denied = matches!(failure, Failure::Denied(_));
        if is_denied || self.failures >= FAILURES_UNTOLD {
            self.is_told = true;
            self.tell(Change::Failing { told: failure.to_string(), is_denied }).await?;
        }
        Ok(self.pace.retry(self.failures, is_denied))
    }

    fn count(&self, reason: &'static str) {
        self.counts.restarted(self.selection.kind.name, reason);
    }
}

/// How a round ended.
enum Round {
    /// The watch is over, as every watch is after a while.
    Ended,
    /// There is no such kind.
    NotServed,
}

/// What is answered in time.
async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout(limit, answer).await.unwrap_or(Err(Failure::Silent))
}

/// What is asked for where no more than metadata is wanted.
const ONLY_METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// The annotation of the bookmark that ends a streamed list.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";
/// A watch that ends sooner than this is not begun again before as much time is over.
const SHORT: Duration = Duration::from_millis(100);
/// How long a server that refuses a watch may take to say so.
const CONFIRM: Duration = Duration::from_secs(1);
/// So many failures in a row but one are nobody's business: servers are restarted.
const FAILURES_UNTOLD: u32 = 5;
