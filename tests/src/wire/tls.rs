//! TLS 1.3 with a certificate on both sides; the peer is whom its URI name says.
//!
//! **Invariant:** no session is ever resumed, so every handshake is a whole one.

use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    version::TLS13,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client, server};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::Credentials;

/// What a side offers in the TLS handshake.
pub const H2: &[u8] = b"h2";
/// The same, for HTTP/1.
pub const HTTP1: &[u8] = b"http/1.1";

/// A server's side.
pub fn server(credentials: &Credentials, protocol: &[u8]) -> Result<Arc<ServerConfig>> {
    let (chain, key) = pair(credentials)?;
    let provider = provider();
    let mut roots = RootCertStore::empty();
    for root in certificates(&credentials.root)? {
        roots.add(root)?;
    }
    let clients =
        WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![protocol.to_owned()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config.into())
}

/// A client's side, which accepts only a server of one identity.
pub fn client(
    credentials: &Credentials,
    protocol: &[u8],
    expected: &str,
) -> Result<Arc<ClientConfig>> {
    let (chain, key) = pair(credentials)?;
    let provider = provider();
    let roots = certificates(&credentials.root)?;
    let servers = Spiffe { roots, expected: expected.to_owned(), provider: provider.clone() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(servers))
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![protocol.to_owned()];
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    Ok(config.into())
}

/// A client's connection.
pub type Dialled = client::TlsStream<TcpStream>;
/// A server's connection.
pub type Accepted = server::TlsStream<TcpStream>;

/// Shakes hands as a client.
pub async fn connect(config: Arc<ClientConfig>, stream: TcpStream) -> Result<Dialled> {
    let unused = ServerName::try_from("unused.invalid")?;
    TlsConnector::from(config).connect(unused, stream).await.context("tls handshake")
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

pub(crate) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    Ok(CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>()?)
}

fn pair(
    credentials: &Credentials,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let key = PrivateKeyDer::from_pem_slice(credentials.key.as_bytes())?;
    Ok((certificates(&credentials.chain)?, key))
}

/// Checks a server's chain, and its identity instead of a host name.
#[derive(Debug)]
struct Spiffe {
    roots: Vec<CertificateDer<'static>>,
    expected: String,
    provider: Arc<CryptoProvider>,
}

impl Spiffe {
    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<bool, webpki::Error> {
        let leaf = EndEntityCert::try_from(leaf)?;
        let anchors = self.roots.iter().map(anchor_from_trusted_cert);
        let anchors = anchors.collect::<Result<Vec<_>, _>>()?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let usage = KeyUsage::server_auth();
        leaf.verify_for_usage(algorithms, &anchors, intermediates, now, usage, None, None)?;
        Ok(leaf.valid_uri_names().eq([self.expected.as_str()]))
    }
}

impl ServerCertVerifier for Spiffe {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.check(end_entity, intermediates, now) {
            Ok(true) => Ok(ServerCertVerified::assertion()),
            Ok(false) => Err(CertificateError::NotValidForName.into()),
            Err(error) => Err(Error::General(error.to_string())),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
