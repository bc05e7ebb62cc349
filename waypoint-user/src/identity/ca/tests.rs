use std::{fs, path::Path, process::Command};

use rcgen::{CertificateParams, DnType, SanType};
use rustls::pki_types::CertificateDer;

use super::{request, *};
use crate::identity::issuer::FreshKey;

fn web() -> Arc<SpiffeId> {
    Arc::new(SpiffeId::new("cluster.local", "shop", "web"))
}

async fn issue(authority: &Authority, lifetime: Duration) -> Result<Issued, Refusal> {
    let csr = FreshKey::generate().unwrap().request(&web()).unwrap();
    authority.issue(SigningRequest { identity: web(), csr, lifetime }).await
}

fn write(path: &Path, certificate: &CertificateDer<'_>) {
    let pem = pem::encode(certificate);
    fs::write(path, pem).unwrap();
}

/// PEM by openssl itself, so that our own reading of DER is not what is tested.
mod pem {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };

    pub(super) fn encode(der: &[u8]) -> Vec<u8> {
        let mut child = Command::new("openssl")
            .args(["x509", "-inform", "der"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(der).unwrap();
        child.wait_with_output().unwrap().stdout
    }
}

fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {text} {complaint}");
    text
}

#[tokio::test]
async fn openssl_verifies_the_chain_and_reads_what_we_meant() {
    let dir = crate::identity::tests::Scratch::new("openssl");
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let issued = issue(&authority, Duration::from_hours(1)).await.unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    write(dir.path().join("root").as_path(), &issued.roots[0]);
    write(dir.path().join("ca").as_path(), &issued.intermediates[0]);
    write(dir.path().join("leaf").as_path(), &issued.leaf);
    for purpose in ["sslserver", "sslclient"] {
        let (root, ca, leaf) = (path("root"), path("ca"), path("leaf"));
        openssl(&[
            "verify",
            "-x509_strict",
            "-purpose",
            purpose,
            "-CAfile",
            &root,
            "-untrusted",
            &ca,
            &leaf,
        ]);
    }
    let leaf = openssl(&["x509", "-in", &path("leaf"), "-noout", "-text"]);
    for expected in [
        "Subject: \n",
        "X509v3 Subject Alternative Name: critical\n",
        "                URI:spiffe://cluster.local/ns/shop/sa/web\n",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "                TLS Web Server Authentication, TLS Web Client Authentication\n",
        "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
        "X509v3 Authority Key Identifier",
        "X509v3 Subject Key Identifier",
        "NIST CURVE: P-256",
    ] {
        assert!(leaf.contains(expected), "{expected:?} is not in {leaf}");
    }
    let ca = openssl(&["x509", "-in", &path("ca"), "-noout", "-text"]);
    for expected in [
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n",
        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0\n",
        "X509v3 Subject Key Identifier",
    ] {
        assert!(ca.contains(expected), "{expected:?} is not in {ca}");
    }
}

#[tokio::test]
async fn serial_numbers_differ_and_are_128_bits() {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        let issued = issue(&authority, Duration::from_mins(1)).await.unwrap();
        let peer = crate::identity::TlsPeer::of(Some(&[issued.leaf])).unwrap();
        assert_eq!(peer.serial.len(), 16);
        assert!(seen.insert(peer.serial));
    }
}

#[tokio::test]
async fn a_leaf_does_not_outlive_the_intermediate() {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let issued = issue(&authority, Duration::from_hours(100 * 365 * 24)).await.unwrap();
    let (leaf, ca) = (Validity::of(&issued.leaf), Validity::of(&issued.intermediates[0]));
    assert!(leaf.unwrap().not_after <= ca.unwrap().not_after);
}

/// A request with these names, signed by a key of this algorithm.
fn request_with(names: &[&str], algorithm: &'static rcgen::SignatureAlgorithm) -> String {
    let mut wish = CertificateParams::default();
    wish.distinguished_name.push(DnType::CommonName, "anything");
    let uri = |name: &&str| SanType::URI((*name).try_into().unwrap());
    wish.subject_alt_names = names.iter().map(uri).collect();
    let key = KeyPair::generate_for(algorithm).unwrap();
    wish.serialize_request(&key).unwrap().pem().unwrap()
}

#[test]
fn requests_are_for_one_identity_by_a_p256_key() {
    let (p256, p384) = (&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384);
    let web_uri = web().to_string();
    let check = |names: &[&str], algorithm| request::check(&request_with(names, algorithm), &web());
    assert!(check(&[&web_uri], p256).is_ok());
    assert!(matches!(check(&[&web_uri], p384), Err(request::Error::Key)));
    assert!(matches!(check(&[], p256), Err(request::Error::Names(0))));
    assert!(matches!(check(&[&web_uri, &web_uri], p256), Err(request::Error::Names(2))));
    let other = check(&["spiffe://cluster.local/ns/shop/sa/db"], p256);
    assert!(matches!(other, Err(request::Error::OtherName(_))));
    assert!(matches!(request::check("no request", &web()), Err(request::Error::Pem(_))));
}

#[test]
fn a_request_whose_signature_was_changed_is_refused() {
    use rustls::pki_types::{CertificateSigningRequestDer, pem::PemObject};
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut wish = CertificateParams::default();
    wish.subject_alt_names = vec![SanType::URI(web().to_string().try_into().unwrap())];
    let text = wish.serialize_request(&key).unwrap().pem().unwrap();
    let mut der = CertificateSigningRequestDer::from_pem_slice(text.as_bytes()).unwrap().to_vec();
    // The public key's bytes are in the middle; another key did not sign this.
    let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let at = der.windows(65).position(|bytes| bytes == key.public_key_raw()).unwrap();
    der[at..at + 65].copy_from_slice(other.public_key_raw());
    assert!(matches!(request::check_der(&der, &web()), Err(request::Error::Signature)));
}
