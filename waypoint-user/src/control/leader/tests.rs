use std::sync::{Mutex, PoisonError};

use super::*;

/// A Lease in memory, whose API server can be out of reach.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    record: Option<Record>,
    version: u64,
    broken: bool,
}

impl Shelf {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holder(&self) -> String {
        self.state().record.as_ref().map(|record| record.holder.clone()).unwrap_or_default()
    }
}

impl Leases for Shelf {
    async fn read(&self) -> Result<Option<Record>, Error> {
        let state = self.state();
        if state.broken { Err(Error::Silent) } else { Ok(state.record.clone()) }
    }

    async fn write(&self, record: Record) -> Result<bool, Error> {
        let mut state = self.state();
        if state.broken {
            return Err(Error::Silent);
        }
        if record.version != state.record.as_ref().and_then(|there| there.version.clone()) {
            return Ok(false);
        }
        state.version += 1;
        state.record = Some(Record { version: Some(state.version.to_string()), ..record });
        Ok(true)
    }
}

/// A controller that leads when it may; what it says of that, and how to stop or kill it.
struct Controller {
    led: watch::Receiver<bool>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Controller {
    fn start(shelf: &Shelf, identity: &str) -> Self {
        let shutdown = CancellationToken::new();
        let (sender, led) = watch::channel(false);
        let term = |ends: CancellationToken| async move { ends.cancelled().await };
        let leading =
            lead(shelf.clone(), identity.to_owned(), Arc::new(sender), shutdown.clone(), term);
        Self { led, shutdown, task: crate::telemetry::task::spawn("leading", leading) }
    }

    /// Whether it does not lead all the while.
    async fn waits(&mut self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.led.wait_for(|led| *led)).await.is_err()
    }

    async fn leads(&mut self, leads: bool) -> Duration {
        let begin = Instant::now();
        let waited = self.led.wait_for(|led| *led == leads);
        tokio::time::timeout(Duration::from_mins(5), waited).await.unwrap().unwrap();
        begin.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_leads_and_the_second_waits() {
    let shelf = Shelf::default();
    let mut first = Controller::start(&shelf, "a");
    first.leads(true).await;
    let mut second = Controller::start(&shelf, "b");
    assert!(second.waits(Duration::from_mins(3)).await);
    assert!(*first.led.borrow());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_ends_hands_over_at_once() {
    let shelf = Shelf::default();
    let mut first = Controller::start(&shelf, "a");
    first.leads(true).await;
    let mut second = Controller::start(&shelf, "b");
    assert!(second.waits(PACE).await);
    first.shutdown.cancel();
    assert!(second.leads(true).await <= PACE);
    first.task.await.unwrap();
    assert_eq!(shelf.holder(), "b");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_dies_is_followed_when_its_lease_is_old() {
    let shelf = Shelf::default();
    let mut first = Controller::start(&shelf, "a");
    first.leads(true).await;
    let mut second = Controller::start(&shelf, "b");
    assert!(second.waits(PACE).await);
    first.task.abort();
    let waited = second.leads(true).await;
    assert!(
        waited + PACE * 2 > LEASE_DURATION && waited <= LEASE_DURATION + PACE * 2,
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_leader_without_an_api_server_stops_before_its_lease_is_old() {
    let shelf = Shelf::default();
    let mut first = Controller::start(&shelf, "a");
    first.leads(true).await;
    shelf.state().broken = true;
    assert!(first.leads(false).await < LEASE_DURATION);
    shelf.state().broken = false;
    first.leads(true).await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_lease_was_taken_stops() {
    let shelf = Shelf::default();
    let mut first = Controller::start(&shelf, "a");
    first.leads(true).await;
    let there = shelf.state().record.clone();
    assert!(shelf.write(Record::taken(there, "b")).await.unwrap());
    assert!(first.leads(false).await <= PACE);
    assert_eq!(shelf.holder(), "b");
}

#[tokio::test(start_paused = true)]
async fn a_restarted_leader_of_the_same_name_goes_on() {
    let shelf = Shelf::default();
    Controller::start(&shelf, "a").leads(true).await;
    let mut again = Controller::start(&shelf, "a");
    assert!(again.leads(true).await <= PACE);
}
