//! From what is new of the cluster to what is published.
//!
//! It reads nothing from the server itself; watchers do.
//!
//! **Invariant:** nothing is published while anything that has to be read is not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use kube::Client;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    mesh::{
        object::{ObjectName, ObjectRef},
        report::Report,
    },
    sync::{
        Settings,
        directory::QUIET_WAITS_MAX,
        journal,
        outlet::{Outlet, Reading},
        translate::{before::Before, translate_after},
    },
    telemetry::task,
};

use super::{
    Place, Scope,
    counts::Counts,
    definitions::{self, Installed},
    kinds::KINDS,
    news::News,
    plan,
    selection::Selection,
    store::Store,
    watcher::Watcher,
};

/// Follows one cluster.
pub(super) struct Follower {
    client: Client,
    place: Place,
    settings: Arc<Settings>,
    counts: Arc<Counts>,
    sender: mpsc::Sender<News>,
    news: mpsc::Receiver<News>,
    watches: BTreeMap<Arc<Selection>, AbortOnDropHandle<()>>,
    /// Which kinds are installed, and the task that follows that.
    installed: (watch::Receiver<Installed>, AbortOnDropHandle<()>),
    store: Store,
    /// What was translated last.
    before: Option<Before>,
    /// Whether something changed that was not translated yet.
    is_stale: bool,
}

impl Follower {
    /// Begins to watch.
    pub(super) fn new(
        client: Client,
        place: Place,
        settings: Settings,
        counts: Arc<Counts>,
    ) -> Self {
        let (sender, news) = mpsc::channel(NEWS_MAX);
        let installed = definitions::follow(client.clone(), place.pace, Arc::clone(&counts));
        let mut follower = Self {
            client,
            place,
            settings: Arc::new(settings),
            counts,
            sender,
            news,
            watches: BTreeMap::new(),
            installed,
            store: Store::default(),
            before: None,
            is_stale: true,
        };
        follower.adopt(plan::first(&follower.place.scope));
        follower
    }

    /// Waits until everything was read that has to be, and translates it. None if that broke.
    pub(super) async fn first(&mut self) -> Option<Reading> {
        let mut told = Report::default();
        loop {
            let turn = self.turn().await?;
            if turn.reading.is_some() {
                return turn.reading;
            }
            let report = self.notes();
            journal::log(&told, &report);
            told = report;
        }
    }

    /// Publishes whatever changes, until shutdown.
    pub(super) async fn run(mut self, outlet: Outlet, shutdown: CancellationToken) {
        self.account();
        while let Some(Some(turn)) = shutdown.run_until_cancelled(self.turn()).await {
            match turn.reading {
                Some(reading) => {
                    outlet.publish(reading);
                    self.counts.published(turn.oldest.elapsed(), turn.translation);
                }
                None => outlet.touch(),
            }
            self.account();
        }
    }

    /// Counts how new what was published is, unless something that came with it is still unread.
    fn account(&self) {
        if !self.is_stale {
            for kind in KINDS {
                self.counts.reached(kind.name, self.store.newest(kind.name));
            }
        }
    }

    /// Takes what is new and translates everything, if that changed anything. None if that broke.
    async fn turn(&mut self) -> Option<Turn> {
        let news = self.settle().await?;
        let oldest = news.first().map_or_else(Instant::now, |first| first.heard);
        let (began, pieces) = (Instant::now(), news.len());
        let mut reading = self.work(news).await?;
        for _ in 0..PLANS_MAX {
            let Some(Translated { wanted, .. }) = &mut reading else { break };
            match self.adopt(std::mem::take(wanted)) {
                Adopted::Same => break,
                Adopted::Less => reading = self.work(Vec::new()).await?,
                Adopted::More => reading = None,
            }
        }
        self.is_stale &= reading.is_none();
        for kind in KINDS {
            self.counts.holds(kind.name, self.store.count(kind.name));
        }
        let reading = reading.map(|translated| translated.reading);
        let (waited, translation) = (began - oldest, began.elapsed());
        let is_whole = reading.is_some();
        tracing::debug!(pieces, ?waited, ?translation, is_whole, "took what is new");
        Some(Turn { reading, oldest, translation })
    }

    /// Takes what is new, and translates if anything changed and everything is there.
    async fn work(&mut self, news: Vec<News>) -> Option<Option<Translated>> {
        let (mut store, stale) = (std::mem::take(&mut self.store), self.is_stale);
        let mut before = self.before.take();
        let (settings, scope) = (Arc::clone(&self.settings), self.place.scope.clone());
        // There may be much to translate, and the threads here serve others too.
        let work = tokio::task::spawn_blocking(move || {
            let changes = news
                .into_iter()
                .fold(stale, |changes, one| store.take(&one.selection, one.change) || changes);
            let translated = (changes && store.is_complete())
                .then(|| translated(&store, &mut before, &settings, &scope));
            (store, before, changes, translated)
        });
        let (store, before, changes, translated) = work.await.ok()?;
        (self.store, self.before, self.is_stale) = (store, before, changes);
        Some(translated)
    }

    /// Begins to watch what is wanted and is not watched, and ends what is not wanted.
    fn adopt(&mut self, wanted: BTreeSet<Selection>) -> Adopted {
        let unwanted = self.watches.keys().filter(|one| !wanted.contains(&***one)).cloned();
        let unwanted: Vec<_> = unwanted.collect();
        for selection in &unwanted {
            tracing::debug!(%selection, "not read any more");
            self.watches.remove(selection);
            self.store.remove(selection);
        }
        let watches = &self.watches;
        let missing = wanted.into_iter().filter(|one| !watches.contains_key(one));
        let missing: Vec<_> = missing.collect();
        let adopted = match (missing.is_empty(), unwanted.is_empty()) {
            (true, true) => Adopted::Same,
            (true, false) => Adopted::Less,
            (false, _) => Adopted::More,
        };
        self.is_stale |= !matches!(adopted, Adopted::Same);
        for selection in missing {
            tracing::debug!(%selection, "has to be read");
            self.watch(Arc::new(selection));
        }
        adopted
    }

    /// Collects what is new until it was quiet for a while.
    async fn settle(&mut self) -> Option<Vec<News>> {
        let quiet = self.place.pace.quiet;
        let mut news = vec![self.news.recv().await?];
        let latest = Instant::now() + quiet * QUIET_WAITS_MAX;
        while Instant::now() < latest {
            let until = latest.min(Instant::now() + quiet);
            match timeout_at(until, self.news.recv()).await {
                Ok(Some(one)) => news.push(one),
                Ok(None) | Err(_) => break,
            }
        }
        Some(news)
    }

    /// Begins to watch a selection.
    fn watch(&mut self, selection: Arc<Selection>) {
        self.store.add(Arc::clone(&selection));
        let watcher = Watcher::new(
            (self.client.clone(), self.installed.0.clone()),
            Arc::clone(&selection),
            self.place.pace,
            self.sender.clone(),
            Arc::clone(&self.counts),
        );
        let running = AbortOnDropHandle::new(task::spawn("watch", watcher.run()));
        self.watches.insert(selection, running);
    }

    /// What there is to say before there is a Report.
    fn notes(&self) -> Report {
        let mut report = Report::default();
        for note in self.store.notes() {
            let source = ObjectRef::new("Source", ObjectName::cluster("cluster"));
            report.add(source, note.clone());
        }
        report
    }
}

/// What came of what was new.
struct Turn {
    /// Everything, translated; none if nothing changed, or something was not read yet.
    reading: Option<Reading>,
    /// When the oldest of it arrived.
    oldest: Instant,
    /// How long it took to admit and translate it.
    translation: Duration,
}

/// How what is watched changed.
enum Adopted {
    Same,
    /// Something is not watched any more.
    Less,
    /// Something has to be read first.
    More,
}

/// What was read, what it means, and what has to be read for that.
struct Translated {
    reading: Reading,
    wanted: BTreeSet<Selection>,
}

fn translated(
    store: &Store,
    before: &mut Option<Before>,
    settings: &Settings,
    scope: &Scope,
) -> Translated {
    let (objects, report) = store.merge();
    let given = (&settings.mesh, settings.waypoints);
    let (snapshot, report) = translate_after(before, &objects, given, report);
    let wanted = plan::wanted(scope, &objects, &snapshot);
    Translated { reading: Reading { objects, snapshot, report }, wanted }
}

/// Most news that wait to be taken; watchers wait when there are so many.
const NEWS_MAX: usize = 64;
/// How often what is wanted may change by what is not read any more, before that waits for the
/// next change.
const PLANS_MAX: u32 = 4;
