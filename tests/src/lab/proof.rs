//! What a pod of a mesh proves itself with, as somebody sees it who shakes hands with it.

use anyhow::{Context, Result};
use rustls::pki_types::CertificateDer;
use tokio::{io::AsyncReadExt, net::TcpStream, runtime::Builder};
use webpki::EndEntityCert;

use super::Lab;
use crate::wire::{Credentials, tls, tunnel::PORT};

/// The certificates of one handshake, the pod's own first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proof(Vec<CertificateDer<'static>>);

impl Proof {
    /// The serial number of the pod's own.
    pub fn serial(&self) -> Result<Vec<u8>> {
        let leaf = self.0.first().context("no certificate")?;
        Ok(EndEntityCert::try_from(leaf)?.serial().to_vec())
    }

    /// Whether a certificate, in PEM, is among them.
    pub fn leads_over(&self, pem: &str) -> Result<bool> {
        let wanted = tls::certificates(pem)?;
        Ok(wanted.iter().all(|one| self.0.contains(one)))
    }
}

impl Lab {
    /// Shakes hands with port 15008 of a pod, from a pod and with a certificate of its identity
    /// that the authority could have signed now.
    pub fn proof_of(&self, pod: &str, from: &str) -> Result<Proof> {
        let own = self.authority()?.impostor()?.issue(&self.identity_of(from)?)?;
        self.proof_to(pod, from, &own)
    }

    /// The same, with any certificate; that both sides believed the other is certain.
    pub fn proof_to(&self, pod: &str, from: &str, own: &Credentials) -> Result<Proof> {
        let config = tls::client(own, tls::H2, &self.identity_of(pod)?)?;
        let mut address = self.pod_address(pod)?;
        address.set_port(PORT);
        self.from(from).netns()?.within(|| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let tcp = TcpStream::connect(address).await.context("connect")?;
                let mut stream = tls::connect(config, tcp).await?;
                // A server that refuses us says so after our side is done; one that does not
                // begins with its settings.
                stream.read_u8().await.context("first frame")?;
                let seen = stream.get_ref().1.peer_certificates().context("no certificates")?;
                Ok(Proof(seen.iter().map(|one| one.clone().into_owned()).collect()))
            })
        })
    }
}
