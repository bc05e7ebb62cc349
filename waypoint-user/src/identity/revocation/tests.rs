use std::{fs, time::Duration};

use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::{
    identity::{
        Identities, Settings,
        ca::directory,
        dialled_name,
        tests::{Scratch, until},
    },
    mesh::spiffe::SpiffeId,
    telemetry::metrics::Registry,
};

fn identity(account: &str) -> Arc<SpiffeId> {
    Arc::new(SpiffeId::new("cluster.local", "shop", account))
}

/// A list of the intermediate of this directory that names these serial numbers.
fn list(authority: &Scratch, serials: &[&[u8]]) -> String {
    let read = |name: &str| fs::read_to_string(authority.path().join(name)).unwrap();
    let key = KeyPair::from_pem(&read("ca-key.pem")).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(&read("ca-cert.pem"), key).unwrap();
    let now = rcgen::date_time_ymd(2020, 1, 1);
    let revoked = |serial: &&[u8]| RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time: now,
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: now,
        next_update: rcgen::date_time_ymd(2049, 1, 1),
        crl_number: SerialNumber::from_slice(&[1]),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(&issuer).unwrap().pem().unwrap()
}

/// What the server saw of the client.
async fn meet(identities: &Identities) -> std::io::Result<TlsPeer> {
    let db = identities.credentials(&identity("db")).await.unwrap();
    let web = identities.credentials(&identity("web")).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accept = async {
        let (socket, _) = listener.accept().await?;
        let mut stream = TlsAcceptor::from(db.server_config()).accept(socket).await?;
        stream.write_all(b"hello").await?;
        Ok(TlsPeer::of(stream.get_ref().1.peer_certificates()).unwrap())
    };
    let dial = async {
        let socket = TcpStream::connect(address).await?;
        let connector = TlsConnector::from(web.client_config(&[identity("db")]));
        let mut stream = connector.connect(dialled_name(), socket).await?;
        stream.read_u8().await
    };
    let (server, _client) = tokio::join!(accept, dial);
    server
}

#[tokio::test]
async fn a_revoked_peer_is_refused_and_its_open_connections_are_named() {
    let (authority, scratch) = (Scratch::new("crl-ca"), Scratch::new("crl"));
    let crl = scratch.path().join("crl.pem");
    fs::write(&crl, "").unwrap();
    let shutdown = CancellationToken::new();
    let ca = directory::follow(authority.path(), "cluster.local", shutdown.clone()).unwrap();
    let issuer = crate::identity::ca::Current::new(ca.contents);
    let (registry, settings) =
        (Registry::new(), Settings { crl: Some(crl.clone()), ..Settings::default() });
    let identities = Identities::start(settings, issuer, &registry, shutdown.clone());
    let peer = meet(&identities).await.unwrap();
    meet(&identities).await.expect("what was verified once is verified again");
    let mut revocations = identities.revocations();
    assert!(!revocations.is_revoked(&peer));

    fs::write(&crl, list(&authority, &[&peer.serial])).unwrap();
    let changed = time::timeout(Duration::from_secs(10), revocations.changed());
    changed.await.expect("a change is told");
    until("the new list", || revocations.is_revoked(&peer)).await;
    let refused = meet(&identities).await.unwrap_err().to_string();
    assert!(refused.contains("Revoked"), "{refused}");
    let count = "istio_crl_policy_rejections_total{reason=\"revoked\"} 1";
    assert!(registry.encode().contains(count), "{}", registry.encode());

    fs::write(&crl, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n").unwrap();
    let broken = time::timeout(files::INTERVAL * 2, revocations.changed()).await;
    assert!(broken.is_err() && revocations.is_revoked(&peer), "a broken file changes nothing");

    fs::write(&crl, list(&authority, &[b"another"])).unwrap();
    time::timeout(Duration::from_secs(10), revocations.changed()).await.unwrap();
    meet(&identities).await.expect("nobody is revoked any more");
    shutdown.cancel();
}

#[tokio::test]
async fn a_serial_number_of_another_issuer_revokes_nobody() {
    let (ours, theirs) = (Scratch::new("crl-ours"), Scratch::new("crl-theirs"));
    let shutdown = CancellationToken::new();
    let ca = directory::follow(ours.path(), "cluster.local", shutdown.clone()).unwrap();
    directory::follow(theirs.path(), "cluster.local", shutdown.clone()).unwrap();
    let contents = Arc::clone(&ca.contents.borrow());
    let key = crate::identity::issuer::FreshKey::generate().unwrap();
    let lifetime = Duration::from_mins(1);
    let issued = contents.authority.issue_to(&key, &identity("web"), lifetime).unwrap();
    let peer = TlsPeer::of(Some(&[issued.leaf])).unwrap();
    let (sender, revocations) = Revocations::new();
    for (authority, revoked) in [(&theirs, false), (&ours, true)] {
        let lists = Lists::parse(1, list(authority, &[&peer.serial]).as_bytes()).unwrap();
        sender.send_replace(Arc::new(lists));
        assert_eq!(revocations.is_revoked(&peer), revoked);
    }
    shutdown.cancel();
}
