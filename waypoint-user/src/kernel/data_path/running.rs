//! The life of a data path: it follows Snapshots, the host's links and the clock.
//!
//! **Invariant:** the gate is open only while the last self-probe succeeded.

use std::{
    collections::BTreeSet, iter, sync::Arc, sync::PoisonError, sync::atomic::Ordering,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        Error, blocking, bypassing, desired::Desired, enrolment::Enrolment, exempt::Exempt, links,
        listeners::InSlot, maps, probe::Probe, programs, sockets,
    },
    DataPath, Mirrors,
};
use crate::{
    mesh::{object::ObjectName, snapshot::Snapshot},
    telemetry::readiness::Gate,
};

/// Runs until shutdown.
pub(super) async fn run(
    data_path: DataPath,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    gate: Gate,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let mut changes = links::watch()?;
    let mut running = Running::start(data_path, gate).await?;
    let mut snapshot = snapshots.borrow_and_update().clone();
    running.exempt().await?;
    running.follow(&snapshot, true).await;
    running.enrolment.detach_strays(Some(running.probe.interface().ifindex))?;
    running.listen(true)?;
    running.prove().await;
    let mut clock = interval(PERIOD);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
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
            _ = clock.tick() => running.tick(&snapshot).await,
        }
    }
    running.listen(false)
}

struct Running {
    data_path: DataPath,
    gate: Gate,
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
        Ok(Self { data_path, gate, enrolment, mirrors, probe, bypassing, complaint: None })
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
        let desired = Desired::of(snapshot, self.data_path.settings.node.as_deref());
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

    /// What is done every second.
    async fn tick(&mut self, snapshot: &Snapshot) {
        self.enrolment.verify().await;
        self.let_go().await;
        self.bypassing.follow(snapshot);
        let outcome = self.attach_probe().await.and(self.mirror_pods());
        let outcome = outcome.and(self.exempt().await);
        self.complain(outcome);
        self.prove().await;
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
        self.mirrors.apply_pods(&self.enrolment.tables(Some(&self.probe.pod())))
    }

    /// Detaches from pods that are not enrolled any more and whose last captured connection ended.
    async fn let_go(&mut self) {
        let waiting = self.enrolment.waiting();
        if waiting.is_empty() {
            return;
        }
        let Ok(netns) = self.data_path.agent.netns().duplicate() else { return };
        let open = blocking::run(move || sockets::open_connections(&netns)).await;
        let Some(Ok(open)) = open else { return };
        let ended: BTreeSet<ObjectName> = waiting
            .into_iter()
            .filter(|(_, addresses)| !addresses.iter().any(|address| open.contains_key(address)))
            .map(|(name, _)| name)
            .collect();
        for name in &ended {
            self.enrolment.detach(name);
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
    async fn prove(&mut self) {
        let Err(cause) = self.probe.run().await else { return self.proven() };
        self.gate.close(cause.to_string());
        self.data_path.counts.repaired.fetch_add(1, Ordering::Relaxed);
        if let Err(cause) = self.repair().await {
            self.gate.close(cause.to_string());
            return;
        }
        match self.probe.run().await {
            Ok(()) => self.proven(),
            Err(cause) => self.gate.close(cause.to_string()),
        }
    }

    fn proven(&mut self) {
        match self.data_path.configuration.bypass(false) {
            Ok(()) => self.gate.open(),
            Err(cause) => self.gate.close(cause.to_string()),
        }
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
