//! The life of a data path: it follows Snapshots, the host's links and the clock.
//!
//! **Invariant:** the gate is open only while the last self-probe succeeded.
//! **Invariant:** a process that rests for its successor changes nothing in the kernel, and the
//! slots of listeners are emptied only by the process that alone has them.

use std::{iter, sync::Arc, sync::PoisonError, sync::atomic::Ordering, time::Duration};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        Error, blocking, bypassing,
        desired::Desired,
        enrolment::Enrolment,
        exempt::Exempt,
        handover::{Door, Hello, Predecessor, Request},
        links,
        listeners::InSlot,
        maps::{self, Configuration},
        probe::Probe,
        programs, sockets,
        whereabouts::Whereabouts,
    },
    DataPath, Ended, Mirrors,
};
use crate::{mesh::snapshot::Snapshot, telemetry::readiness::Gate};

/// Runs until shutdown, or until another process has taken over.
pub(super) async fn run(
    data_path: DataPath,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    gate: Gate,
    shutdown: CancellationToken,
) -> Result<Ended, Error> {
    if shutdown.is_cancelled() {
        return Ok(Ended::Shutdown);
    }
    let mut changes = links::watch()?;
    let mut running = Running::start(data_path, gate).await?;
    let mut snapshot = snapshots.borrow_and_update().clone();
    running.begin(&snapshot).await?;
    let mut door = running.open_door()?;
    let mut clock = interval(PERIOD);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            request = door.next() => match running.hand_over(request, &shutdown).await {
                Rest::Over(ended) => {
                    door.leave();
                    return Ok(ended);
                }
                Rest::Resumed => {
                    snapshot = snapshots.borrow_and_update().clone();
                    running.resume(&snapshot).await?;
                }
            },
            changed = snapshots.changed() => match changed {
                Ok(()) => {
                    snapshot = snapshots.borrow_and_update().clone();
                    running.follow(&snapshot, false).await;
                }
                Err(_) => break,
            },
            change = changes.next() => {
                change?;
                running.follow(&snapshot, true).await;
            }
            () = running.whereabouts.due() => running.follow(&snapshot, false).await,
            _ = clock.tick() => running.tick(&snapshot).await,
        }
    }
    running.listen(false)?;
    Ok(Ended::Shutdown)
}

/// How a rest for the sake of a successor ended.
enum Rest {
    /// With the end of this process's part; the slots of listeners are not its own any more.
    Over(Ended),
    /// Without a successor.
    Resumed,
}

struct Running {
    data_path: DataPath,
    gate: Gate,
    whereabouts: Whereabouts,
    enrolment: Enrolment,
    mirrors: Mirrors,
    probe: Probe,
    bypassing: bypassing::Reader,
    /// The last complaint, so that it is logged once.
    complaint: Option<String>,
}

impl Running {
    async fn start(data_path: DataPath, gate: Gate) -> Result<Self, Error> {
        let [from_pod, to_pod] = programs::of_pods(&data_path.pins)?;
        let inbound = data_path.settings.inbound.then_some(to_pod);
        let programs = iter::once(from_pod).chain(inbound).collect();
        let reattached = Arc::clone(&data_path.counts.reattached);
        let enrolment = Enrolment::new(data_path.pins.clone(), programs, reattached);
        let mirrors = Mirrors::open(&data_path.pins)?;
        let probe = Probe::ensure(&data_path.settings).await?;
        let counted = maps::bypassing(&data_path.pins)?;
        let bypassing = bypassing::Reader::new(counted, data_path.counts.bypassing.clone());
        let whereabouts = Whereabouts::new(data_path.counts.unseen.clone());
        let complaint = None;
        Ok(Self { data_path, gate, whereabouts, enrolment, mirrors, probe, bypassing, complaint })
    }

    /// Lets the kubelet connect to pods.
    async fn exempt(&mut self) -> Result<(), Error> {
        if !self.data_path.settings.inbound {
            return Ok(());
        }
        let found = Exempt::find(&self.data_path.settings.exempt_cgroups).await?;
        self.mirrors.apply_exempt(&found)?;
        self.data_path.configuration.knows_cgroups(!found.cgroups.is_empty())
    }

    /// Makes the kernel follow a Snapshot, and the host's links as they are now.
    async fn follow(&mut self, snapshot: &Arc<Snapshot>, links_changed: bool) {
        let mut desired = Desired::of(snapshot, self.data_path.settings.node.as_deref());
        self.whereabouts.follow(std::mem::take(&mut desired.sought), links_changed);
        self.data_path.sockets.found(self.whereabouts.all());
        desired.settle(&self.whereabouts);
        self.enrolment.reconcile(&desired.pods, links_changed).await;
        let outcome = self.attach_probe().await;
        let outcome = outcome.and(self.mirror_pods());
        let outcome = outcome.and(self.mirrors.apply_destinations(&desired));
        let outcome = outcome.and(self.mirrors.apply_admissions(&desired));
        if outcome.is_ok() {
            self.data_path.progress.reached(snapshot);
        }
        self.complain(outcome);
        tracing::debug!(
            pods = self.enrolment.len(),
            destinations = self.mirrors.destinations(),
            "data path follows the mesh",
        );
    }

    /// Waits until the pods of this node were looked for once.
    async fn find(&mut self, snapshot: &Arc<Snapshot>) {
        let desired = Desired::of(snapshot, self.data_path.settings.node.as_deref());
        self.whereabouts.follow(desired.sought, true);
        self.whereabouts.looked().await;
    }

    /// Puts this process in the place of an earlier one, dead or resting.
    async fn begin(&mut self, snapshot: &Arc<Snapshot>) -> Result<(), Error> {
        self.exempt().await?;
        self.enrolment.inherit(self.mirrors.left());
        self.find(snapshot).await;
        self.follow(snapshot, true).await;
        match &mut self.data_path.predecessor {
            // Its captured connections are served until it has drained.
            Some(predecessor) => predecessor.still_rests().await?,
            None => self.enrolment.disown(),
        }
        self.enrolment.detach_strays(Some(self.probe.interface().ifindex))?;
        self.listen(true)?;
        let proven = self.prove().await;
        match self.data_path.predecessor.take() {
            Some(predecessor) => self.take_over(predecessor, proven).await,
            None => Ok(()),
        }
    }

    /// Takes over from a process that rests, unless it can serve and this one cannot.
    async fn take_over(
        &mut self,
        predecessor: Predecessor,
        mut proven: Result<(), Error>,
    ) -> Result<(), Error> {
        for _ in 0..FURTHER_PROOFS {
            if proven.is_ok() {
                break;
            }
            sleep(PERIOD).await;
            proven = self.prove().await;
        }
        proven.map_err(|cause| Error::Unproven { cause: cause.to_string() })?;
        predecessor.take_over().await?;
        self.data_path.lock.sign(&self.data_path.settings.run_dir)?;
        self.data_path.counts.handovers.taken.count();
        self.data_path.alone.cancel();
        Ok(())
    }

    /// Lets successors ask.
    fn open_door(&self) -> Result<Door, Error> {
        let settings = &self.data_path.settings;
        let count = self.data_path.counts.handovers.clone();
        Door::open(&settings.run_dir, Hello::of(settings), count)
    }

    /// Rests while a successor begins. At shutdown meanwhile, it is left to the successor.
    async fn hand_over(&mut self, request: Request, shutdown: &CancellationToken) -> Rest {
        let begun = async { request.grant(&self.data_path.lock).await?.in_force().await };
        match shutdown.run_until_cancelled(begun).await {
            None => Rest::Over(Ended::Shutdown),
            Some(Ok(successor)) => Rest::Over(Ended::TakenOver(successor)),
            Some(Err(cause)) => {
                tracing::warn!(%cause, "the successor did not come into force; going on");
                self.data_path.counts.handovers.resumed.count();
                Rest::Resumed
            }
        }
    }

    /// Goes on after a rest, whatever a successor has changed.
    async fn resume(&mut self, snapshot: &Arc<Snapshot>) -> Result<(), Error> {
        self.data_path.configuration = Configuration::of_pins(&self.data_path.pins)?;
        self.mirrors = Mirrors::open(&self.data_path.pins)?;
        self.enrolment.inherit(self.mirrors.left());
        self.exempt().await?;
        self.find(snapshot).await;
        self.follow(snapshot, true).await;
        self.enrolment.detach_strays(Some(self.probe.interface().ifindex))?;
        self.listen(true)?;
        // What fails is logged, and tried again every second.
        let _ = self.prove().await;
        Ok(())
    }

    /// What is done every second.
    async fn tick(&mut self, snapshot: &Arc<Snapshot>) {
        if self.whereabouts.has_lost() {
            self.follow(snapshot, false).await;
        }
        self.enrolment.verify().await;
        self.let_go().await;
        self.bypassing.follow(snapshot);
        let outcome = self.attach_probe().await.and(self.mirror_pods());
        let outcome = outcome.and(self.exempt().await);
        self.complain(outcome);
        // What fails is logged, and tried again the next time.
        let _ = self.prove().await;
    }

    async fn attach_probe(&mut self) -> Result<(), Error> {
        let interface = self.probe.interface().clone();
        self.enrolment.attach(&interface).await
    }

    fn mirror_pods(&mut self) -> Result<(), Error> {
        let mut origins = self.data_path.origins.write().unwrap_or_else(PoisonError::into_inner);
        *origins = self.enrolment.origins();
        drop(origins);
        self.data_path.sockets.know(self.enrolment.namespaces());
        let outcome = self.mirrors.apply_pods(&self.enrolment.tables(Some(&self.probe.pod())));
        if outcome.is_ok() {
            self.tell();
        }
        outcome
    }

    /// Tells which pods' connections are captured, if that has changed.
    fn tell(&self) {
        let captured = self.enrolment.captured();
        self.data_path.captured.send_if_modified(|known| {
            let differs = known.as_deref() != Some(&captured);
            if differs {
                *known = Some(Arc::new(captured));
            }
            differs
        });
    }

    /// Detaches from pods that are not enrolled any more and whose last captured connection ended.
    async fn let_go(&mut self) {
        if !self.enrolment.is_waiting() {
            return;
        }
        let Ok(netns) = self.data_path.agent.netns().duplicate() else { return };
        let open = blocking::run(move || sockets::open_connections(&netns)).await;
        if let Some(Ok(open)) = open {
            self.enrolment.let_go(&open);
        }
    }

    /// Puts the listeners into their slots, or takes them out.
    fn listen(&mut self, listen: bool) -> Result<(), Error> {
        let name = waypoint_common::map::LSN;
        let mut slots = maps::slots(&self.data_path.pins)?;
        for InSlot { slot, listener } in &self.data_path.in_slots {
            if listen {
                slots.set(*slot, listener, 0).map_err(Error::map(name))?;
            } else {
                slots.clear_index(slot).map_err(Error::map(name))?;
            }
        }
        Ok(())
    }

    /// Probes the data path; when it fails, lets new connections pass, repairs, and probes again.
    async fn prove(&mut self) -> Result<(), Error> {
        let outcome = match self.probe.run().await {
            Ok(()) => self.data_path.configuration.bypass(false),
            Err(cause) => {
                self.gate.close(cause.to_string());
                self.data_path.counts.repaired.fetch_add(1, Ordering::Relaxed);
                self.prove_repaired().await
            }
        };
        match &outcome {
            Ok(()) => self.gate.open(),
            Err(cause) => self.gate.close(cause.to_string()),
        }
        outcome
    }

    async fn prove_repaired(&mut self) -> Result<(), Error> {
        self.repair().await?;
        self.probe.run().await?;
        self.data_path.configuration.bypass(false)
    }

    async fn repair(&mut self) -> Result<(), Error> {
        self.data_path.configuration.bypass(true)?;
        let repairs = self.data_path.agent.verify_or_repair().await?;
        tracing::warn!(?repairs, "the data path failed its self-probe; repaired");
        self.data_path.sockets.agent_is(self.data_path.agent.netns().duplicate()?);
        self.data_path.attach_to_agent().await?;
        self.probe = Probe::ensure(&self.data_path.settings).await?;
        self.attach_probe().await?;
        self.mirror_pods()?;
        self.listen(true)
    }

    /// Logs a complaint when it is new, and counts a full map.
    fn complain(&mut self, outcome: Result<(), Error>) {
        if matches!(outcome, Err(Error::Full { .. })) {
            self.data_path.counts.full.hit();
        }
        let complaint = outcome.err().map(|cause| cause.to_string());
        if let Some(cause) = complaint.as_ref().filter(|_| self.complaint != complaint) {
            tracing::error!(cause, "the kernel does not hold everything that it should");
        }
        self.complaint = complaint;
    }
}

/// How often the data path is verified and proves itself.
const PERIOD: Duration = Duration::from_secs(1);
/// How often a successor tries again to prove itself before it ends; together much shorter than the
/// predecessor waits.
const FURTHER_PROOFS: u32 = 5;
