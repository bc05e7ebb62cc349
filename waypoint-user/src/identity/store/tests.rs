use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::*;
use crate::identity::{Issued, Refusal, SigningRequest, ca::Authority, tests::until};

fn identity(account: &str) -> Arc<SpiffeId> {
    Arc::new(SpiffeId::new("cluster.local", "shop", account))
}

/// An authority that can be held up and broken, and that says what it was asked.
struct Probe {
    authority: Authority,
    /// One permit lets one answer go.
    gate: Semaphore,
    broken: std::sync::atomic::AtomicBool,
    asked: Mutex<HashMap<String, usize>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Probe {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self {
            authority: Authority::ephemeral("cluster.local").unwrap(),
            gate: Semaphore::new(permits),
            broken: false.into(),
            asked: Mutex::default(),
            now: 0.into(),
            most: 0.into(),
        })
    }

    fn asked(&self, account: &str) -> usize {
        self.asked.lock().unwrap().get(account).copied().unwrap_or_default()
    }
}

impl Issuer for Arc<Probe> {
    fn issue(&self, request: SigningRequest) -> BoxFuture<'_, Result<Issued, Refusal>> {
        Box::pin(async move {
            let account = request.identity.service_account.clone();
            *self.asked.lock().unwrap().entry(account).or_default() += 1;
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            self.now.fetch_sub(1, Ordering::SeqCst);
            if self.broken.load(Ordering::SeqCst) {
                return Err(Refusal::Unreachable("broken for a test".to_owned()));
            }
            self.authority.issue(request).await
        })
    }
}

fn start(probe: &Arc<Probe>, lifetime: Duration) -> (Identities, Registry, CancellationToken) {
    let (registry, shutdown) = (Registry::new(), CancellationToken::new());
    let settings = Settings { lifetime, ..Settings::default() };
    let identities = Identities::start(settings, Arc::clone(probe), &registry, shutdown.clone());
    (identities, registry, shutdown)
}

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn many_who_wait_for_one_identity_make_one_request() {
    let probe = Probe::new(0);
    let (identities, registry, _shutdown) = start(&probe, DAY);
    let web = identity("web");
    assert!(identities.current(&web).is_none());
    let waiting = futures_util::future::join_all((0..50).map(|_| identities.credentials(&web)));
    let release = async {
        until("the request", || probe.asked("web") == 1).await;
        probe.gate.add_permits(100);
    };
    let (answers, ()) = tokio::join!(waiting, release);
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| Arc::ptr_eq(answer.as_ref().unwrap(), first)));
    assert_eq!(probe.asked("web"), 1);
    assert!(Arc::ptr_eq(&identities.current(&web).unwrap(), first));
    let metrics = registry.encode();
    assert!(metrics.contains("waypoint_certificate_requests_total{outcome=\"issued\"} 1"));
    assert!(metrics.contains("waypoint_certificates{state=\"held\"} 1"), "{metrics}");
    let expiry = "waypoint_certificate_expiry_seconds{which=\"earliest\"} 86";
    assert!(metrics.contains(expiry), "{metrics}");
}

#[tokio::test]
async fn at_most_eight_requests_are_under_way() {
    let probe = Probe::new(0);
    let (identities, _registry, _shutdown) = start(&probe, DAY);
    identities.want((0..40).map(|n| identity(&n.to_string())).collect());
    until("a full house", || probe.now.load(Ordering::SeqCst) == REQUESTS_MAX).await;
    probe.gate.add_permits(1000);
    until("all", || (0..40).all(|n| identities.current(&identity(&n.to_string())).is_some())).await;
    assert_eq!(probe.most.load(Ordering::SeqCst), REQUESTS_MAX);
}

#[tokio::test]
async fn a_certificate_is_renewed_and_stays_in_force_until_then() {
    let probe = Probe::new(1000);
    let (identities, _registry, _shutdown) = start(&probe, Duration::from_secs(3));
    identities.want(BTreeSet::from([identity("web")]));
    let first = identities.credentials(&identity("web")).await.unwrap();
    let mut last = Arc::clone(&first);
    until("a third certificate", || {
        let current = identities.current(&identity("web"));
        last = current.expect("there is always one that holds");
        probe.asked("web") >= 3
    })
    .await;
    assert!(!Arc::ptr_eq(&first, &last));
}

#[tokio::test]
async fn an_authority_that_fails_is_asked_again_and_meanwhile_says_why() {
    let probe = Probe::new(1000);
    probe.broken.store(true, Ordering::SeqCst);
    let (identities, registry, _shutdown) = start(&probe, DAY);
    let failure = identities.credentials(&identity("web")).await.unwrap_err().to_string();
    assert_eq!(
        failure,
        "no certificate for spiffe://cluster.local/ns/shop/sa/web: the certificate authority \
         cannot be reached: broken for a test"
    );
    probe.broken.store(false, Ordering::SeqCst);
    until("the certificate", || identities.current(&identity("web")).is_some()).await;
    let count = "waypoint_certificate_requests_total{outcome=\"unreachable\"} 1";
    assert!(registry.encode().contains(count));
}

#[tokio::test]
async fn what_nobody_wants_is_forgotten() {
    let probe = Probe::new(1000);
    let (identities, _registry, _shutdown) = start(&probe, DAY);
    identities.credentials(&identity("web")).await.unwrap();
    identities.credentials(&identity("db")).await.unwrap();
    identities.want(BTreeSet::from([identity("db")]));
    assert!(identities.current(&identity("web")).is_none());
    assert!(identities.current(&identity("db")).is_some());
    assert_eq!(probe.asked("db"), 1);
}

#[tokio::test]
async fn the_end_is_told_to_those_who_wait() {
    let probe = Probe::new(0);
    let (identities, _registry, shutdown) = start(&probe, DAY);
    let web = identity("web");
    let end = async {
        until("the request", || probe.asked("web") == 1).await;
        shutdown.cancel();
    };
    let (answer, ()) = tokio::join!(identities.credentials(&web), end);
    assert!(matches!(answer, Err(Error::Ended)));
}

/// Signs another identity than the one that was asked for.
struct Liar(Authority);

impl Issuer for Liar {
    fn issue(&self, request: SigningRequest) -> BoxFuture<'_, Result<Issued, Refusal>> {
        Box::pin(async move {
            let other = identity("admin");
            let key = crate::identity::issuer::FreshKey::generate().unwrap();
            self.0.issue_to(&key, &other, request.lifetime)
        })
    }
}

#[tokio::test]
async fn a_certificate_of_another_identity_is_refused() {
    let liar = Liar(Authority::ephemeral("cluster.local").unwrap());
    let shutdown = CancellationToken::new();
    let identities = Identities::start(Settings::default(), liar, &Registry::new(), shutdown);
    let failure = identities.credentials(&identity("web")).await.unwrap_err().to_string();
    assert!(failure.ends_with("it is for spiffe://cluster.local/ns/shop/sa/admin"), "{failure}");
    assert!(identities.current(&identity("admin")).is_none());
}
