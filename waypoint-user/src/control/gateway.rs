//! What Gateways run in, and their status: seen to as long as this controller leads.
//!
//! It serves nobody, and renders only from what it is given; who may use a waypoint is `sync`'s.
//!
//! **Invariant:** a Gateway that cannot be served as it is written keeps what it runs in already.
//! **Invariant:** only objects that bear our label and belong to the Gateway are taken away.

mod config_maps;
mod live;
mod names;
mod ours;
mod parameters;
mod plan;
mod render;
mod status;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::api::core::v1::ObjectReference;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    classes,
    desk::{Desk, Settled},
    events::{Mood, Tale},
    kind::Target,
    run::Tools,
    writer::Error,
};
use config_maps::ConfigMaps;
use live::Live;
use plan::{Plan, Trouble};

/// Sees to all Gateways until the term ends.
pub async fn run(tools: Tools, ends: CancellationToken) {
    let bell = Arc::new(Notify::new());
    let mut work = Work {
        live: Live::follow(&tools.client, &bell),
        config_maps: ConfigMaps::follow(&tools.client, &tools.settings.mesh.root_namespace, &bell),
        desk: Desk::new(tools.writer.clone(), IN_FLIGHT_MAX),
        troubles: BTreeMap::new(),
        tools,
    };
    let (mut dirty, mut next) = (true, Instant::now());
    loop {
        let mut objects = work.tools.sources.objects.clone();
        let mut reports = work.tools.sources.reports.clone();
        tokio::select! {
            () = ends.cancelled() => return,
            settled = work.desk.next() => dirty |= work.heard(settled),
            () = bell.notified(), if !dirty => dirty = true,
            Ok(()) = objects.changed(), if !dirty => dirty = true,
            Ok(()) = reports.changed(), if !dirty => dirty = true,
            () = tokio::time::sleep_until(next), if dirty => {
                work.see_to_it();
                dirty = false;
                next = Instant::now() + PACE;
            }
        }
    }
}

/// What the work is done with, and what went wrong with it.
struct Work {
    tools: Tools,
    live: Live,
    config_maps: ConfigMaps,
    desk: Desk<super::writer::Writer>,
    troubles: BTreeMap<Target, Trouble>,
}

impl Work {
    /// Wants what is not so yet.
    fn see_to_it(&mut self) {
        let objects = self.tools.sources.objects.borrow_and_update().clone();
        let report = self.tools.sources.reports.borrow_and_update().clone();
        self.config_maps.need(&objects);
        // Before all that is there is known, what is wanted is not.
        let (Some(there), Some(maps)) = (self.live.there(), self.config_maps.known()) else {
            return;
        };
        let settings = &self.tools.settings;
        let scene = plan::Scene {
            settings,
            objects: &objects,
            report: &report,
            there: &there,
            maps: &maps,
            troubles: &self.troubles,
        };
        let Plan { mut wanted, tales, .. } = plan::plan(&scene);
        wanted.extend(classes::wanted(&objects));
        let targets: BTreeSet<_> = wanted.iter().map(|one| &one.target).collect();
        self.troubles.retain(|target, _| targets.contains(target));
        self.desk.offer(wanted);
        for tale in tales {
            self.tools.events.tell(tale);
        }
    }

    /// Takes note of what came of a write; says whether that is news.
    fn heard(&mut self, settled: Settled) -> bool {
        let Settled { target, result, repeats } = settled;
        match result {
            Ok(_) => self.troubles.remove(&target).is_some(),
            Err(cause) => {
                if repeats == 0 {
                    tracing::warn!(%cause, repeats, "not written");
                }
                let trouble = trouble(&cause);
                let before = self.troubles.insert(target, trouble.clone());
                before != Some(trouble)
            }
        }
    }
}

fn trouble(cause: &Error) -> Trouble {
    Trouble {
        reason: cause.reason(),
        message: cause.to_string(),
        needs_a_person: cause.needs_a_person(),
    }
}

/// A tale about something that somebody must act on.
fn warning(about: ObjectReference, reason: &str, note: &str) -> Tale {
    Tale { about, mood: Mood::Warning, reason: reason.to_owned(), note: note.to_owned() }
}

/// How many writes are under way at most.
const IN_FLIGHT_MAX: usize = 8;
/// How often all is looked at, at most.
const PACE: Duration = Duration::from_millis(100);
