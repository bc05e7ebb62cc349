//! The root is exchanged under live traffic, and no handshake fails.

use std::{
    collections::BTreeSet,
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    identity::{
        Credentials, Identities, Issued, Revocations, Settings,
        ca::{Contents, directory},
        client::{self, Client},
        dialled_name,
        issuer::FreshKey,
        service::{self, Authenticate, Authorise, access::FileTokens},
        token::Caller,
        trust::Trusts,
    },
    mesh::spiffe::SpiffeId,
    telemetry::metrics::Registry,
};

fn identity(account: &str) -> Arc<SpiffeId> {
    Arc::new(SpiffeId::new("cluster.local", "shop", account))
}

/// Lets every node have everything.
struct Anybody;

impl Authorise for Anybody {
    fn authorise(&self, _: &Caller, _: &SpiffeId) -> Result<(), String> {
        Ok(())
    }
}

/// One handshake both sides of which prove themselves, and a byte.
async fn meet(server: &Credentials, client: &Credentials) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let accept = async {
        let (socket, _) = listener.accept().await?;
        let mut stream = TlsAcceptor::from(server.server_config()).accept(socket).await?;
        stream.write_all(b"x").await?;
        stream.shutdown().await
    };
    let dial = async {
        let socket = TcpStream::connect(address).await?;
        let config = client.client_config(&[Arc::clone(server.identity())]);
        let connector = TlsConnector::from(config);
        let mut stream = connector.connect(dialled_name(), socket).await?;
        stream.read_u8().await
    };
    tokio::try_join!(accept, dial).map(|_| ())
}

/// Exchanges a file as an operator should: in one step.
fn exchange(path: &Path, content: &str) {
    let beside = path.with_extension("next");
    fs::write(&beside, content).unwrap();
    fs::rename(&beside, path).unwrap();
}

/// A node with certificates of a few seconds, and its own memory of peers.
fn node(ca: &Path, address: &str, token: &Path, end: &CancellationToken) -> Identities {
    let settings =
        client::Settings::new(address.to_owned(), ca.join("root-cert.pem"), token.to_owned());
    let client = Client::new(settings).unwrap();
    let lifetime = Duration::from_secs(3);
    let settings = Settings { lifetime, ..Settings::default() };
    Identities::start(settings, client, &Registry::new(), end.clone())
}

/// The authority as a service.
async fn serve(
    contents: &watch::Receiver<Arc<Contents>>,
    end: &CancellationToken,
) -> service::Serving {
    let settings = service::Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        names: Vec::new(),
        lifetime_max: Duration::from_hours(1),
    };
    let access: (Arc<dyn Authenticate>, Arc<dyn Authorise>) =
        (Arc::new(FileTokens::new(contents.clone())), Arc::new(Anybody));
    let registry = Registry::new();
    service::serve(settings, contents.clone(), access, &registry, end.clone()).await.unwrap()
}

/// Long-lived credentials by this authority, of one who trusts these roots.
fn long_lived(by: &Contents, roots: &[CertificateDer<'static>]) -> Credentials {
    let (key, lifetime) = (FreshKey::generate().unwrap(), Duration::from_hours(1));
    let issued = by.authority.issue_to(&key, &identity("web"), lifetime).unwrap();
    let issued = Issued { roots: roots.to_vec(), ..issued };
    let trust = Trusts::new(Revocations::new().1).of(roots).unwrap();
    Credentials::new(&identity("web"), &key.into_der(), issued, trust, false).unwrap()
}

/// The nodes, each with one workload, and what became of their handshakes.
struct Mesh {
    one: Identities,
    two: Identities,
    met: AtomicUsize,
    failed: AtomicUsize,
    end: AtomicBool,
}

impl Mesh {
    fn pair(&self) -> (Arc<Credentials>, Arc<Credentials>) {
        let web = self.one.current(&identity("web")).expect("web always has a certificate");
        let db = self.two.current(&identity("db")).expect("db always has a certificate");
        (web, db)
    }

    /// New connections in both directions, one after the other, until the end.
    async fn traffic(&self) {
        while !self.end.load(Ordering::Relaxed) {
            let (web, db) = self.pair();
            for (server, client) in [(&web, &db), (&db, &web)] {
                if let Err(cause) = meet(server, client).await {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                    eprintln!("a handshake failed: {cause}");
                }
                self.met.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Waits until both workloads have had a new certificate, twice: the first of them may have
    /// been asked for before.
    async fn renewed(&self) {
        for _ in 0..2 {
            let (web, db) = self.pair();
            until("new certificates", || {
                let (new_web, new_db) = self.pair();
                !Arc::ptr_eq(&web, &new_web) && !Arc::ptr_eq(&db, &new_db)
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_is_exchanged_in_three_steps_without_a_failed_handshake() {
    let (old, new) = (Scratch::new("rotation-old"), Scratch::new("rotation-new"));
    let end = CancellationToken::new();
    let mut following = directory::follow(old.path(), "cluster.local", end.clone()).unwrap();
    directory::follow(new.path(), "cluster.local", CancellationToken::new()).unwrap();
    let contents = following.contents.clone();
    let serving = serve(&contents, &end).await;
    let token = old.path().join("token");
    let caller = Caller::Node("one".to_owned());
    let signed = contents.borrow().tokens.sign(&caller, Duration::from_hours(1)).unwrap();
    fs::write(&token, signed).unwrap();
    let address = serving.address.to_string();
    let mesh = Arc::new(Mesh {
        one: node(old.path(), &address, &token, &end),
        two: node(old.path(), &address, &token, &end),
        met: 0.into(),
        failed: 0.into(),
        end: false.into(),
    });
    mesh.one.want(BTreeSet::from([identity("web")]));
    mesh.two.want(BTreeSet::from([identity("db")]));
    mesh.one.credentials(&identity("web")).await.unwrap();
    mesh.two.credentials(&identity("db")).await.unwrap();
    let before = Arc::clone(&contents.borrow());
    let traffic = Arc::clone(&mesh);
    let traffic = crate::telemetry::task::spawn("traffic", async move { traffic.traffic().await });

    let read = |from: &Scratch, name: &str| fs::read_to_string(from.path().join(name)).unwrap();
    let root = old.path().join("root-cert.pem");
    let both = read(&old, "root-cert.pem") + &read(&new, "root-cert.pem");
    following.contents.borrow_and_update();
    exchange(&root, &both);
    following.contents.changed().await.unwrap();
    mesh.renewed().await;

    following.contents.borrow_and_update();
    for name in ["ca-cert.pem", "ca-key.pem"] {
        exchange(&old.path().join(name), &read(&new, name));
    }
    following.contents.changed().await.unwrap();
    mesh.renewed().await;

    following.contents.borrow_and_update();
    exchange(&root, &read(&new, "root-cert.pem"));
    following.contents.changed().await.unwrap();
    mesh.renewed().await;

    mesh.end.store(true, Ordering::Relaxed);
    traffic.await.expect("the traffic always had certificates");
    let met = mesh.met.load(Ordering::Relaxed);
    assert!(met > 100, "only {met} handshakes: that proves nothing");
    assert_eq!(mesh.failed.load(Ordering::Relaxed), 0, "of {met} handshakes");
    // The old root is indeed gone: who has a certificate below it is a stranger now.
    let now = Arc::clone(&contents.borrow());
    let roots = [before.authority.roots(), now.authority.roots()].concat();
    let (_, db) = mesh.pair();
    assert!(meet(&db, &long_lived(&before, &roots)).await.is_err());
    meet(&db, &long_lived(&now, &roots)).await.expect("one below the new root is not");
    end.cancel();
}
