use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::identity::{Revocations, TlsPeer, ca::Authority, issuer::FreshKey, trust::Trusts};

fn identity(account: &str) -> Arc<SpiffeId> {
    Arc::new(SpiffeId::new("cluster.local", "shop", account))
}

fn day() -> Duration {
    Duration::from_hours(24)
}

fn credentials(authority: &Authority, account: &str) -> Credentials {
    authority.credentials(&identity(account), day()).unwrap()
}

fn credentials_with_tls12(authority: &Authority, account: &str) -> Credentials {
    let key = FreshKey::generate().unwrap();
    let issued = authority.issue_to(&key, &identity(account), day()).unwrap();
    let trust = Trusts::new(Revocations::new().1).of(&issued.roots).unwrap();
    Credentials::new(&identity(account), &key.into_der(), issued, trust, true).unwrap()
}

/// What both sides saw of each other, over a real socket.
struct Meeting {
    /// What the server read of the client, or why it refused.
    server: std::io::Result<TlsPeer>,
    /// What the client read of the server, or why it refused.
    client: std::io::Result<TlsPeer>,
    /// The protocol agreed upon, as the client sees it.
    alpn: Option<Vec<u8>>,
}

async fn meet(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> Meeting {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accept = async {
        let (socket, _) = listener.accept().await?;
        let mut stream = TlsAcceptor::from(server).accept(socket).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await?;
        let peer = TlsPeer::of(stream.get_ref().1.peer_certificates());
        Ok(peer.expect("a verified peer has an identity"))
    };
    let mut alpn = None;
    let dial = async {
        let socket = TcpStream::connect(address).await?;
        let mut stream = TlsConnector::from(client).connect(dialled_name(), socket).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        assert_eq!(text, "hello");
        alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        let peer = TlsPeer::of(stream.get_ref().1.peer_certificates());
        Ok(peer.expect("a verified peer has an identity"))
    };
    let (server, client) = tokio::join!(accept, dial);
    Meeting { server, client, alpn }
}

#[tokio::test]
async fn both_sides_prove_who_they_are() {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let (web, db) = (credentials(&authority, "web"), credentials(&authority, "db"));
    let config = web.client_config(&[identity("db")]);
    let meeting = meet(db.server_config(), config).await;
    assert_eq!(meeting.server.unwrap().identity, identity("web"));
    assert_eq!(meeting.client.unwrap().identity, identity("db"));
    assert_eq!(meeting.alpn.as_deref(), Some(b"h2".as_slice()));
}

#[tokio::test]
async fn another_than_the_expected_server_is_refused() {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let (web, db) = (credentials(&authority, "web"), credentials(&authority, "db"));
    for expected in [vec![identity("cart")], Vec::new()] {
        let meeting = meet(db.server_config(), web.client_config(&expected)).await;
        let refused = meeting.client.unwrap_err().to_string();
        assert!(refused.contains("the peer is spiffe://cluster.local/ns/shop/sa/db"), "{refused}");
        assert!(meeting.server.is_err());
    }
}

#[tokio::test]
async fn a_stranger_with_roots_of_its_own_is_refused_by_both_sides() {
    let ours = Authority::ephemeral("cluster.local").unwrap();
    let theirs = Authority::ephemeral("cluster.local").unwrap();
    let (web, db) = (credentials(&ours, "web"), credentials(&theirs, "db"));
    let meeting = meet(db.server_config(), web.client_config(&[identity("db")])).await;
    assert!(meeting.client.unwrap_err().to_string().contains("UnknownIssuer"));
    // The server cannot have seen a certificate yet; the other way round it does.
    let mut lenient = (*web.client_config(&[identity("db")])).clone();
    lenient.dangerous().set_certificate_verifier(Arc::new(TrustsAll(crypto::provider())));
    let meeting = meet(db.server_config(), Arc::new(lenient)).await;
    assert!(meeting.server.unwrap_err().to_string().contains("UnknownIssuer"));
}

#[tokio::test]
async fn another_trust_domain_of_the_same_root_is_refused() {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let foreign = Arc::new(SpiffeId::new("cluster.local.evil", "shop", "web"));
    let web = authority.credentials(&foreign, day()).unwrap();
    let db = credentials(&authority, "db");
    let mut lenient = (*web.client_config(&[identity("db")])).clone();
    lenient.dangerous().set_certificate_verifier(Arc::new(TrustsAll(crypto::provider())));
    let meeting = meet(db.server_config(), Arc::new(lenient)).await;
    let refused = meeting.server.unwrap_err().to_string();
    assert!(refused.contains("our trust domain is cluster.local"), "{refused}");
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let db = credentials(&authority, "db");
    let mut anonymous = ClientConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(versions(false))
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustsAll(crypto::provider())))
        .with_no_client_auth();
    anonymous.alpn_protocols = vec![ALPN.to_vec()];
    let meeting = meet(db.server_config(), Arc::new(anonymous)).await;
    assert!(meeting.server.unwrap_err().to_string().contains("peer sent no certificates"));
}

#[tokio::test]
async fn tls_1_2_is_spoken_only_when_asked_for() {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let (web, db) = (credentials(&authority, "web"), credentials(&authority, "db"));
    let db12 = credentials_with_tls12(&authority, "db");
    let resolver = Arc::clone(&web.client_config(&[]).client_auth_cert_resolver);
    let mut old = ClientConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustsAll(crypto::provider())))
        .with_client_cert_resolver(resolver);
    old.alpn_protocols = vec![ALPN.to_vec()];
    let old = Arc::new(old);
    assert!(meet(db.server_config(), Arc::clone(&old)).await.server.is_err());
    assert!(meet(db12.server_config(), old).await.server.is_ok());
    assert!(meet(db12.server_config(), web.client_config(&[identity("db")])).await.server.is_ok());
}

#[test]
fn the_same_expectations_share_a_configuration() {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let web = credentials(&authority, "web");
    let one = web.client_config(&[identity("a"), identity("b")]);
    let other = web.client_config(&[identity("b"), identity("a")]);
    assert!(Arc::ptr_eq(&one, &other));
    assert!(!Arc::ptr_eq(&one, &web.client_config(&[identity("a")])));
}

#[test]
fn nothing_shows_a_key() {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let text = format!("{:?}", credentials(&authority, "web"));
    assert!(text.contains("web") && !text.to_lowercase().contains("key"), "{text}");
}

/// A client that does not look, to see what the server says.
#[derive(Debug)]
struct TrustsAll(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for TrustsAll {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &rustls::pki_types::CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, leaf, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &rustls::pki_types::CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, leaf, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
