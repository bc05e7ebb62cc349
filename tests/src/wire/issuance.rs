//! A certificate from an authority that speaks Istio's `IstioCertificateService`, asked for as any
//! program may: a request signed by a new key, and a token.
//!
//! **Invariant:** the key never leaves this program.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result, ensure};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::client;
use http::{HeaderMap, Method, Request, header};
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName, version::TLS13};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::TlsConnector;

use super::{Credentials, tls};

/// Where an authority is, and why it should believe us.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Where it listens.
    pub address: SocketAddr,
    /// The name in its certificate.
    pub name: String,
    /// Its root, in PEM.
    pub root: String,
    /// Who we are, signed.
    pub token: String,
}

impl Desk {
    /// Asks for a certificate of an identity, which the token has to allow.
    pub async fn issue(&self, identity: &str) -> Result<Credentials> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(identity.try_into()?)];
        let request = params.serialize_request(&key)?.pem()?;
        let mut certificates = read(&self.call(&message(&request)?).await?)?;
        let root = certificates.pop().context("the authority answered no certificate")?;
        let chain = certificates.concat();
        ensure!(!chain.is_empty(), "the authority answered a root and nothing below it");
        Ok(Credentials { chain, key: key.serialize_pem(), root })
    }

    /// One unary call of gRPC.
    async fn call(&self, message: &[u8]) -> Result<Bytes> {
        let tcp = TcpStream::connect(self.address).await.context("dial the authority")?;
        let name = ServerName::try_from(self.name.clone())?;
        let stream = TlsConnector::from(self.config()?).connect(name, tcp).await;
        let (open, connection) = client::handshake(stream.context("tls of the authority")?).await?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("https://{}{METHOD}", self.name))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(())?;
        let (answer, mut send) = open.ready().await?.send_request(request, false)?;
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(u32::try_from(message.len())?);
        frame.extend_from_slice(message);
        send.send_data(frame.freeze(), true)?;
        let answer = answer.await?;
        check(answer.headers())?;
        let mut body = answer.into_body();
        let mut bytes = BytesMut::new();
        while let Some(part) = body.data().await {
            let part = part?;
            body.flow_control().release_capacity(part.len())?;
            bytes.extend_from_slice(&part);
        }
        check(&body.trailers().await?.unwrap_or_default())?;
        ensure!(bytes.len() >= FRAME_HEAD, "the authority answered {} bytes", bytes.len());
        Ok(bytes.split_off(FRAME_HEAD).freeze())
    }

    fn config(&self) -> Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        for root in tls::certificates(&self.root)? {
            roots.add(root)?;
        }
        let mut config = ClientConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![tls::H2.to_owned()];
        Ok(config.into())
    }
}

/// Fails when gRPC says that the call did.
fn check(headers: &HeaderMap) -> Result<()> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let status = text("grpc-status").unwrap_or("0");
    let why = text("grpc-message").unwrap_or_default();
    ensure!(status == "0", "the authority refused: grpc-status {status} {why}");
    Ok(())
}

/// `IstioCertificateRequest`: `csr` is field 1, `validity_duration` in seconds is field 3.
fn message(csr: &str) -> Result<Vec<u8>> {
    let mut message = vec![TEXT | 1 << 3];
    varint(u32::try_from(csr.len())?, &mut message);
    message.extend_from_slice(csr.as_bytes());
    message.push(3 << 3);
    varint(VALIDITY_SECONDS, &mut message);
    Ok(message)
}

fn varint(mut number: u32, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    into.push(number.to_le_bytes()[0]);
}

/// `IstioCertificateResponse`: `cert_chain` is field 1, repeated.
fn read(mut message: &[u8]) -> Result<Vec<String>> {
    let mut certificates = Vec::new();
    while message.has_remaining() {
        ensure!(message.get_u8() == TEXT | 1 << 3, "the answer has an unknown field");
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = message.try_get_u8()?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 || shift > 21 {
                break;
            }
        }
        let text = message.get(..length).context("the answer ends inside a certificate")?;
        certificates.push(String::from_utf8(text.to_vec())?);
        message.advance(length);
    }
    Ok(certificates)
}

const METHOD: &str = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
/// The wire type of text.
const TEXT: u8 = 2;
const VALIDITY_SECONDS: u32 = 86_400;
/// Before a message of gRPC: not compressed, and its length.
const FRAME_HEAD: usize = 5;
