//! Asks the pods of a waypoint until one takes a connection.
//!
//! A pod that does not answer is not waited for alone: after a pause the next one is asked beside
//! it, and whoever answers first has the connection.
//!
//! **Invariant:** one stream is kept; the others are reset, and carried nothing.
//! **Invariant:** nobody waits for what the mesh has no more: a pod, a waypoint, or its label.

use std::{rc::Rc, sync::Arc};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    hbone,
    mesh::workload::Workload,
    proxy::{
        connection::Connection,
        failure::Failure,
        flow::{Flow, broken, is_there},
        limits::{INSTANCE_PAUSE, INSTANCES_TRIED_MAX, PASSAGE_TIMEOUT},
        view::Endpoint,
    },
};

use super::{
    course::Passage,
    hop::{self, Reached},
};

/// Why no pod has the connection.
pub(super) enum Missed {
    /// Each of them failed, or refused.
    Failed(Failure),
    /// The mesh leads the connection elsewhere now.
    Overtaken,
}

/// Connects to a pod of a waypoint.
pub(super) async fn reach(
    connection: &Rc<Connection>,
    flow: &mut Flow,
    pod: &Arc<Workload>,
    passage: &Passage,
) -> Result<Reached, Missed> {
    let worker = &connection.worker;
    let overtaken = broken(worker, |view| {
        let leads = passage.still_leads(connection.local, view, pod);
        (!leads).then_some(Failure::Tunnel(hbone::Error::Evicted))
    });
    let mut asked = None;
    let answer = tokio::select! {
        biased;
        _ = overtaken => return Err(Missed::Overtaken),
        answer = ask(connection, pod, passage, &mut asked) => answer,
    };
    match (answer, asked) {
        (Ok(reached), Some(instance)) => {
            reached.note(flow, pod, instance);
            Ok(reached)
        }
        (Ok(reached), None) => Ok(reached),
        (Err(failure), instance) => {
            if let Some(instance) = instance {
                hop::note_asked(flow, instance);
            }
            Err(Missed::Failed(failure))
        }
    }
}

/// Asks one after the other; `asked` is who answered, or who failed last.
async fn ask<'p>(
    connection: &Rc<Connection>,
    pod: &Arc<Workload>,
    passage: &'p Passage,
    asked: &mut Option<&'p Endpoint>,
) -> Result<Reached, Failure> {
    let until = Instant::now() + PASSAGE_TIMEOUT;
    let mut tried = Vec::new();
    let mut under_way = FuturesUnordered::new();
    let mut failure = Failure::NoHealthyUpstream(format!("waypoint {}", passage.waypoint));
    loop {
        let next = |tried: &[_]| passage.pick(tried).filter(|_| tried.len() < INSTANCES_TRIED_MAX);
        if let Some(instance) = next(&tried) {
            tried.push(instance.address);
            *asked = Some(instance);
            under_way.push(ask_one(connection, pod, passage, instance));
        }
        let (instance, answer) = if next(&tried).is_some() {
            match timeout(INSTANCE_PAUSE, under_way.next()).await {
                Ok(Some(answer)) => answer,
                Ok(None) | Err(_) => continue,
            }
        } else {
            match timeout_at(until, under_way.next()).await {
                Ok(Some(answer)) => answer,
                Ok(None) => return Err(failure),
                Err(_) => return Err(unanswered()),
            }
        };
        *asked = Some(instance);
        match answer {
            Ok(reached) => return Ok(reached),
            Err(refusal) if refusal.is_refusal() => return Err(refusal),
            Err(other) => failure = other,
        }
    }
}

/// Asks one pod, as long as it is there.
async fn ask_one<'p>(
    connection: &Rc<Connection>,
    pod: &Arc<Workload>,
    passage: &Passage,
    instance: &'p Endpoint,
) -> (&'p Endpoint, Result<Reached, Failure>) {
    let gone = broken(&connection.worker, |view| {
        let there = instance.workload.as_ref().is_none_or(|there| is_there(there, view));
        (!there).then_some(Failure::Tunnel(hbone::Error::Evicted))
    });
    let host = passage.host.clone();
    let to = hop::Target { endpoint: instance, authority: connection.local, host };
    let answer = tokio::select! {
        biased;
        failure = gone => Err(failure),
        answer = hop::to_waypoint(connection, pod, to) => answer,
    };
    (instance, answer)
}

fn unanswered() -> Failure {
    hbone::Error::Connect("no pod of the waypoint answered in time".to_owned()).into()
}
