//! The service and its client over real sockets.

use std::fs;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{access::FileTokens, *};
use crate::{
    identity::{
        Identities, Issuer, SigningRequest,
        ca::{ROOT_CERT, directory},
        client::{self, Client},
        issuer::{FreshKey, Refusal},
        tests::{Scratch, until},
    },
    mesh::{
        object::ObjectName,
        snapshot::{self, Snapshot},
        workload::Workload,
    },
};

fn identity(account: &str) -> Arc<SpiffeId> {
    Arc::new(SpiffeId::new("cluster.local", "shop", account))
}

/// A service of one test, with the pod `web` on the node `one`.
struct Lab {
    scratch: Scratch,
    contents: watch::Receiver<Arc<Contents>>,
    serving: Serving,
    registry: Registry,
    shutdown: CancellationToken,
}

async fn lab(name: &str) -> Lab {
    let scratch = Scratch::new(name);
    let (registry, shutdown) = (Registry::new(), CancellationToken::new());
    let following = directory::follow(scratch.path(), "cluster.local", shutdown.clone()).unwrap();
    let contents = following.contents;
    let web = ObjectName { namespace: "shop".to_owned(), name: "web-1".to_owned() };
    let web = Workload { node: "one".to_owned(), identity: identity("web"), ..Workload::new(web) };
    let workloads = [(web.name.clone(), Arc::new(web))].into();
    let mesh = Snapshot::new(snapshot::Contents { workloads, ..snapshot::Contents::default() });
    let authorise = access::ByPlacement::new(watch::channel(Arc::new(mesh)).1);
    let authenticate = FileTokens::new(contents.clone());
    let settings = Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        names: vec!["ca.test".to_owned()],
        lifetime_max: Duration::from_hours(1),
    };
    let access: (Arc<dyn Authenticate>, Arc<dyn Authorise>) =
        (Arc::new(authenticate), Arc::new(authorise));
    let serving =
        serve(settings, contents.clone(), access, &registry, shutdown.clone()).await.unwrap();
    Lab { scratch, contents, serving, registry, shutdown }
}

impl Lab {
    /// A client with the token of this caller.
    fn client(&self, caller: &Caller) -> Client {
        let token = self.contents.borrow().tokens.sign(caller, Duration::from_mins(1)).unwrap();
        fs::write(self.scratch.path().join("token"), token + "\n").unwrap();
        Client::new(self.settings()).unwrap()
    }

    fn settings(&self) -> client::Settings {
        let path = |name: &str| self.scratch.path().join(name);
        client::Settings::new(self.serving.address.to_string(), path(ROOT_CERT), path("token"))
    }

    fn count(&self, outcome: &str) -> bool {
        let line = format!("waypoint_ca_requests_total{{outcome=\"{outcome}\"}}");
        self.registry.encode().contains(&line)
    }
}

fn node(name: &str) -> Caller {
    Caller::Node(name.to_owned())
}

fn wish(account: &str) -> SigningRequest {
    let csr = FreshKey::generate().unwrap().request(&identity(account)).unwrap();
    SigningRequest { identity: identity(account), csr, lifetime: Duration::from_mins(10) }
}

#[tokio::test]
async fn a_node_gets_certificates_of_its_workloads() {
    let lab = lab("svc-node").await;
    let client = lab.client(&node("one"));
    let identities = Identities::start(
        crate::identity::Settings::default(),
        client,
        &Registry::new(),
        lab.shutdown.clone(),
    );
    let credentials = identities.credentials(&identity("web")).await.unwrap();
    assert_eq!(*credentials.identity(), identity("web"));
    assert!(lab.count("issued"));
    let refused = identities.credentials(&identity("db")).await.unwrap_err().to_string();
    assert!(refused.ends_with("Unauthenticated: request authenticate failure"), "{refused}");
    assert!(lab.count("unauthenticated"));
    lab.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(10), lab.serving.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_chain_is_leaf_intermediate_root() {
    let lab = lab("svc-chain").await;
    let issued = lab.client(&node("one")).issue(wish("web")).await.unwrap();
    let contents = Arc::clone(&lab.contents.borrow());
    assert_eq!(issued.roots, contents.authority.roots());
    assert_eq!(issued.intermediates.len(), 1);
    let validity = crate::identity::certificate::Validity::of(&issued.leaf).unwrap();
    let length = validity.not_after.duration_since(validity.not_before).unwrap();
    let asked = Duration::from_mins(10);
    assert!(length >= asked && length < asked + Duration::from_secs(121), "{length:?}");
}

#[tokio::test]
async fn a_life_that_is_too_long_is_cut() {
    let lab = lab("svc-long").await;
    let long = SigningRequest { lifetime: Duration::from_secs(u64::MAX), ..wish("web") };
    let issued = lab.client(&node("one")).issue(long).await.unwrap();
    let validity = crate::identity::certificate::Validity::of(&issued.leaf).unwrap();
    let left = validity.not_after.duration_since(std::time::SystemTime::now()).unwrap();
    assert!(left <= Duration::from_hours(1), "{left:?}");
}

#[tokio::test]
async fn whoever_may_not_is_told_nothing() {
    let lab = lab("svc-refused").await;
    let workload = |account: &str| Caller::Workload((*identity(account)).clone());
    let cases = [(node("two"), "web"), (node("one"), "db"), (workload("db"), "web")];
    for (caller, account) in cases {
        let refused = lab.client(&caller).issue(wish(account)).await.unwrap_err();
        let Refusal::Refused(cause) = refused else { panic!("{caller:?}: {refused}") };
        assert_eq!(cause, "Unauthenticated: request authenticate failure");
    }
    let client = lab.client(&node("one"));
    fs::write(lab.scratch.path().join("token"), "forged").unwrap();
    assert!(matches!(client.issue(wish("web")).await, Err(Refusal::Refused(_))));
    lab.client(&workload("db")).issue(wish("db")).await.expect("a workload for itself");
}

#[tokio::test]
async fn the_token_is_read_for_every_request() {
    let lab = lab("svc-token").await;
    let client = lab.client(&node("two"));
    client.issue(wish("web")).await.unwrap_err();
    lab.client(&node("one"));
    client.issue(wish("web")).await.unwrap();
    fs::remove_file(lab.scratch.path().join("token")).unwrap();
    let missing = client.issue(wish("web")).await.unwrap_err().to_string();
    assert!(missing.contains("our token /") && missing.contains("No such file"), "{missing}");
}

#[tokio::test]
async fn a_request_for_one_identity_with_another_inside_is_malformed() {
    let lab = lab("svc-malformed").await;
    let twisted = SigningRequest { csr: wish("db").csr, ..wish("web") };
    let refused = lab.client(&node("one")).issue(twisted).await.unwrap_err().to_string();
    assert!(refused.contains("InvalidArgument: the request is for spiffe://"), "{refused}");
    assert!(lab.count("malformed"));
}

#[tokio::test]
async fn the_service_must_prove_its_name_by_our_root() {
    let (lab, other) = (lab("svc-name").await, Scratch::new("svc-name-other"));
    lab.client(&node("one"));
    let named = |name: &str| client::Settings { name: Some(name.to_owned()), ..lab.settings() };
    for name in ["ca.test", "istiod.istio-system.svc", "localhost"] {
        Client::new(named(name)).unwrap().issue(wish("web")).await.expect(name);
    }
    let refused = Client::new(named("evil.test")).unwrap().issue(wish("web")).await;
    assert!(refused.unwrap_err().to_string().contains("not valid for name"));
    directory::follow(other.path(), "cluster.local", lab.shutdown.clone()).unwrap();
    let settings = client::Settings { root: other.path().join(ROOT_CERT), ..lab.settings() };
    let refused = Client::new(settings).unwrap().issue(wish("web")).await;
    let Err(Refusal::Unreachable(cause)) = refused else { panic!("{refused:?}") };
    assert!(cause.contains("UnknownIssuer"), "{cause}");
}

#[tokio::test]
async fn other_roots_in_the_clients_file_are_in_force_for_the_next_request() {
    let (lab, other) = (lab("svc-root").await, Scratch::new("svc-root-other"));
    directory::follow(other.path(), "cluster.local", lab.shutdown.clone()).unwrap();
    let root = other.path().join("client-root.pem");
    fs::copy(lab.scratch.path().join(ROOT_CERT), &root).unwrap();
    lab.client(&node("one"));
    let client = Client::new(client::Settings { root: root.clone(), ..lab.settings() }).unwrap();
    client.issue(wish("web")).await.unwrap();
    fs::copy(other.path().join(ROOT_CERT), &root).unwrap();
    for _ in 0..2 {
        assert!(matches!(client.issue(wish("web")).await, Err(Refusal::Unreachable(_))));
    }
    fs::copy(lab.scratch.path().join(ROOT_CERT), &root).unwrap();
    client.issue(wish("web")).await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_too_long_is_refused_and_the_service_lives() {
    let lab = lab("svc-long-request").await;
    let client = lab.client(&node("one"));
    let long = SigningRequest { csr: "x".repeat(limits::REQUEST_BYTES_MAX + 1), ..wish("web") };
    let refused = client.issue(long).await.unwrap_err().to_string();
    assert!(refused.contains("OutOfRange") || refused.contains("ResourceExhausted"), "{refused}");
    client.issue(wish("web")).await.unwrap();
}

#[tokio::test]
async fn who_speaks_no_tls_does_not_keep_others_out() {
    let lab = lab("svc-plain").await;
    let mut plain = TcpStream::connect(lab.serving.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
    // One that never finishes its handshake.
    let _silent = TcpStream::connect(lab.serving.address).await.unwrap();
    lab.client(&node("one")).issue(wish("web")).await.unwrap();
}

#[tokio::test]
async fn a_client_connects_again_after_the_service_was_away() {
    let lab = lab("svc-away").await;
    let client = lab.client(&node("one"));
    client.issue(wish("web")).await.unwrap();
    lab.shutdown.cancel();
    until("the end", || lab.serving.ended.is_finished()).await;
    assert!(matches!(client.issue(wish("web")).await, Err(Refusal::Unreachable(_))));
    let settings = Settings {
        listen: lab.serving.address,
        names: Vec::new(),
        lifetime_max: Duration::from_hours(1),
    };
    let access: (Arc<dyn Authenticate>, Arc<dyn Authorise>) =
        (Arc::new(FileTokens::new(lab.contents.clone())), Arc::new(Anybody));
    let end = CancellationToken::new();
    serve(settings, lab.contents.clone(), access, &Registry::new(), end).await.unwrap();
    client.issue(wish("web")).await.unwrap();
}

struct Anybody;

impl Authorise for Anybody {
    fn authorise(&self, _: &Caller, _: &SpiffeId) -> Result<(), String> {
        Ok(())
    }
}
