//! What an authority is made of, as named texts, wherever they are kept.
//!
//! | name | what |
//! |---|---|
//! | `root-cert.pem` | the roots that peers may chain to; more than one while they rotate |
//! | `root-key.pem` | the root's key; it may be kept elsewhere |
//! | `ca-cert.pem` | the certificate that signs, and what is between it and a root |
//! | `ca-key.pem` | its key |
//! | `additional-roots.pem` | more roots, if it is there |
//! | `token-key.pem` | the key that signs tokens |
//!
//! Roots are rotated in three steps, each at least one lifetime of certificates after the one
//! before, so that every certificate was renewed in between.
//!
//! 1. Put the new root beside the old one: into `additional-roots.pem`, or `root-cert.pem` itself.
//! 2. Replace `ca-cert.pem` and `ca-key.pem` by an intermediate of the new root. They are taken
//!    when they fit each other, so their order does not matter.
//! 3. Take the old root away: `root-cert.pem` has the new one only.
//!
//! It reads and writes nothing.
//!
//! **Invariant:** what is there is never replaced, only completed.

use std::{collections::BTreeMap, fmt, sync::Arc};

use rcgen::KeyPair;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::{Authority, profile};
use crate::{
    identity::{
        certificate,
        issuer::FreshKey,
        revocation::Revocations,
        token::TokenKey,
        trust::{Trusts, Usage},
    },
    mesh::spiffe::SpiffeId,
};

/// What signs certificates and tokens.
pub struct Contents {
    /// What signs certificates.
    pub authority: Authority,
    /// What signs and checks tokens.
    pub tokens: TokenKey,
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").field("authority", &self.authority).finish_non_exhaustive()
    }
}

/// Texts by name.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Material(BTreeMap<String, Vec<u8>>);

impl Material {
    /// Those of these texts whose names mean something.
    pub fn new(texts: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        Self(texts.into_iter().filter(|(name, _)| ALL.contains(&name.as_str())).collect())
    }

    /// What must be made so that it is whole: everything, an intermediate of the root that is
    /// there, or nothing.
    pub fn missing(&self, trust_domain: &str) -> Result<Vec<(&'static str, String)>, Error> {
        let there = |name: &str| self.0.contains_key(name);
        let mut made = Vec::new();
        let has_ca = there(CA_CERT) || there(CA_KEY);
        if !has_ca && there(ROOT_KEY) {
            made.extend(intermediate(trust_domain, &self.existing_root()?)?);
        } else if !has_ca && !there(ROOT_CERT) {
            let root = profile::root(trust_domain).map_err(|cause| Error::of(ROOT_KEY, &cause))?;
            let certificate = certificate::to_pem(&root.certificate);
            made.extend([(ROOT_KEY, root.key.serialize_pem()), (ROOT_CERT, certificate)]);
            let issuer = rcgen::Issuer::from_ca_cert_der(&root.certificate, root.key);
            let issuer = issuer.map_err(|cause| Error::of(ROOT_CERT, &cause))?;
            made.extend(intermediate(trust_domain, &issuer)?);
        }
        if !there(TOKEN_KEY) {
            let key = TokenKey::generate().map_err(|cause| Error::of(TOKEN_KEY, &cause))?;
            made.push((TOKEN_KEY, key));
        }
        Ok(made)
    }

    /// Reads everything, and tries it: a certificate that peers would refuse is never given out.
    pub fn open(&self, trust_domain: &str) -> Result<Contents, Error> {
        let chain = self.certificates(CA_CERT)?;
        let key = self.key(CA_KEY)?;
        if !chain.first().is_some_and(|own| certificate::is_of_key(own, &key)) {
            return Err(Error::of(CA_KEY, &format!("it is not the key of {CA_CERT}")));
        }
        let mut roots = self.certificates(ROOT_CERT)?;
        if self.0.contains_key(MORE_ROOTS) {
            roots.extend(self.certificates(MORE_ROOTS)?);
        }
        let mut seen = Vec::new();
        roots.retain(|root| {
            !seen.contains(root) && {
                seen.push(root.clone());
                true
            }
        });
        let authority = Authority::new(key, &chain, roots);
        let authority = authority.map_err(|cause| Error::of(CA_CERT, &cause))?;
        prove(&authority, trust_domain).map_err(|cause| Error::of(CA_CERT, &cause))?;
        Ok(Contents { authority, tokens: self.token_key(trust_domain)? })
    }

    /// The key of tokens.
    pub(super) fn token_key(&self, trust_domain: &str) -> Result<TokenKey, Error> {
        let key = TokenKey::new(&self.key(TOKEN_KEY)?, trust_domain);
        key.map_err(|cause| Error::of(TOKEN_KEY, &cause))
    }

    /// The root whose key is here.
    pub(super) fn existing_root(&self) -> Result<rcgen::Issuer<'static, KeyPair>, Error> {
        let key = self.key(ROOT_KEY)?;
        let roots = self.certificates(ROOT_CERT)?;
        let own = roots.iter().find(|root| certificate::is_of_key(root, &key));
        let absent = || format!("no certificate in {ROOT_CERT} is of this key");
        let own = own.ok_or_else(|| Error::of(ROOT_KEY, &absent()))?;
        let issuer = rcgen::Issuer::from_ca_cert_der(own, key);
        issuer.map_err(|cause| Error::of(ROOT_CERT, &cause))
    }

    fn certificates(&self, name: &'static str) -> Result<Vec<CertificateDer<'static>>, Error> {
        certificate::parse_pem(self.text(name)?).map_err(|cause| Error::of(name, &cause))
    }

    /// Reads a private key of P-256.
    fn key(&self, name: &'static str) -> Result<KeyPair, Error> {
        let text = std::str::from_utf8(self.text(name)?);
        let text = text.map_err(|_| Error::of(name, &"it is no text"))?;
        let broken = |cause| Error::of(name, &format!("no private key: {cause}"));
        KeyPair::from_pem(text).map_err(broken)
    }

    fn text(&self, name: &'static str) -> Result<&[u8], Error> {
        let text = self.0.get(name).map(Vec::as_slice);
        text.ok_or_else(|| Error::of(name, &"it is not there"))
    }
}

/// Keys are in it.
impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A new intermediate of a root.
fn intermediate(
    trust_domain: &str,
    root: &rcgen::Issuer<'static, KeyPair>,
) -> Result<[(&'static str, String); 2], Error> {
    let made = profile::intermediate(trust_domain, root);
    let made = made.map_err(|cause| Error::of(CA_CERT, &cause))?;
    let certificate = certificate::to_pem(&made.certificate);
    Ok([(CA_KEY, made.key.serialize_pem()), (CA_CERT, certificate)])
}

/// Signs for nobody, and looks whether a peer would believe it.
fn prove(authority: &Authority, trust_domain: &str) -> Result<(), String> {
    let nobody = Arc::new(SpiffeId::new(trust_domain, "nobody", "nobody"));
    let key = FreshKey::generate().map_err(|cause| cause.to_string())?;
    let issued = authority.issue_to(&key, &nobody, profile::PROBE);
    let issued = issued.map_err(|cause| cause.to_string())?;
    let trust = Trusts::new(Revocations::new().1).of(&issued.roots);
    let trust = trust.map_err(|cause| format!("a root cannot be used: {cause}"))?;
    let now = UnixTime::now();
    for usage in [Usage::Server, Usage::Client] {
        trust.verify(&issued.leaf, &issued.intermediates, usage, now).map_err(|cause| {
            format!("what it signs does not lead to a root of {ROOT_CERT} or {MORE_ROOTS}: {cause}")
        })?;
    }
    Ok(())
}

/// One text that is missing or does not fit the others.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {cause}")]
pub struct Error {
    /// Its name.
    pub name: &'static str,
    /// What is wrong.
    pub cause: String,
}

impl Error {
    fn of(name: &'static str, cause: &dyn fmt::Display) -> Self {
        Self { name, cause: cause.to_string() }
    }
}

/// The roots.
pub const ROOT_CERT: &str = "root-cert.pem";
/// The root's key.
pub(super) const ROOT_KEY: &str = "root-key.pem";
/// What signs.
pub(super) const CA_CERT: &str = "ca-cert.pem";
/// Its key.
pub(super) const CA_KEY: &str = "ca-key.pem";
/// More roots.
pub(super) const MORE_ROOTS: &str = "additional-roots.pem";
/// The key of tokens.
pub(super) const TOKEN_KEY: &str = "token-key.pem";

/// Every name that means something.
pub(super) const ALL: &[&str] = &[ROOT_CERT, ROOT_KEY, CA_CERT, CA_KEY, MORE_ROOTS, TOKEN_KEY];
