//! What is in the certificates that we make (RFC 5280).

use std::{
    net::IpAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;

use super::Error;
use crate::identity::crypto;
use crate::mesh::spiffe::SpiffeId;

/// A certificate that signs others, with its key.
pub(super) struct Signing {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: KeyPair,
}

/// What a leaf names.
pub(super) enum Names<'a> {
    /// A workload.
    Workload(&'a SpiffeId),
    /// The authority's own service, by host names and addresses.
    Service(&'a [String]),
}

/// A new root.
pub(super) fn root(trust_domain: &str) -> Result<Signing, Error> {
    let mut params =
        authority("Waypoint root", trust_domain, BasicConstraints::Unconstrained, ROOT)?;
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    params.key_identifier_method = identifier(&key);
    let certificate = params.self_signed(&key)?.into();
    Ok(Signing { certificate, key })
}

/// A new intermediate below a root: it signs leaves and nothing else.
pub(super) fn intermediate(
    trust_domain: &str,
    root: &Issuer<'_, KeyPair>,
) -> Result<Signing, Error> {
    let leaves_only = BasicConstraints::Constrained(0);
    let mut params = authority("Waypoint intermediate", trust_domain, leaves_only, INTERMEDIATE)?;
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    params.key_identifier_method = identifier(&key);
    let certificate = params.signed_by(&key, root)?.into();
    Ok(Signing { certificate, key })
}

/// A certificate that signs certificates and revocation lists.
fn authority(
    name: &str,
    trust_domain: &str,
    constraints: BasicConstraints,
    lifetime: Duration,
) -> Result<CertificateParams, Error> {
    let serial = serial()?;
    let mut params = dated(SystemTime::now(), lifetime)?;
    params.distinguished_name.push(DnType::OrganizationName, trust_domain);
    // Two authorities of one trust domain must be told apart by name.
    let tail = crypto::hex(serial.get(..4).unwrap_or_default());
    params.distinguished_name.push(DnType::CommonName, format!("{name} {tail}"));
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// A leaf, whose subject is empty, so that its alternative names are critical.
pub(super) fn leaf(
    names: &Names<'_>,
    key: &impl PublicKeyData,
    now: SystemTime,
    lifetime: Duration,
) -> Result<CertificateParams, Error> {
    let mut params = dated(now, lifetime)?;
    params.serial_number = Some(SerialNumber::from_slice(&serial()?));
    params.subject_alt_names = names.alternative()?;
    params.key_identifier_method = identifier(key);
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    if let Names::Workload(_) = names {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    }
    Ok(params)
}

impl Names<'_> {
    fn alternative(&self) -> Result<Vec<SanType>, Error> {
        match self {
            Self::Workload(identity) => Ok(vec![SanType::URI(identity.to_string().try_into()?)]),
            Self::Service(names) => names.iter().map(|name| host(name)).collect(),
        }
    }
}

/// A host name or an address.
fn host(name: &str) -> Result<SanType, Error> {
    match name.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => Ok(SanType::DnsName(name.try_into()?)),
    }
}

/// What names a key: the first 160 bits of its SHA-256 (RFC 7093, method 1).
fn identifier(key: &impl PublicKeyData) -> KeyIdMethod {
    let mut digest = crypto::sha256(key.der_bytes());
    digest.truncate(20);
    KeyIdMethod::PreSpecified(digest)
}

/// A certificate without names that holds from a little before now, as clocks differ.
fn dated(now: SystemTime, lifetime: Duration) -> Result<CertificateParams, Error> {
    let since = now.duration_since(UNIX_EPOCH).map_err(|_| Error::Ended)?;
    let before = since.saturating_sub(BACKDATED_MAX.min(lifetime / 10));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = epoch + before;
    params.not_after = epoch + since + lifetime;
    Ok(params)
}

/// 128 random bits: positive, and of full length.
fn serial() -> Result<[u8; 16], Error> {
    let mut serial = crypto::random::<16>().map_err(|_| Error::Random)?;
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(serial)
}

/// How long a certificate holds that only tries the authority.
pub(super) const PROBE: Duration = Duration::from_mins(1);

/// How long a root holds.
const ROOT: Duration = Duration::from_hours(3650 * 24);

/// How long an intermediate holds.
const INTERMEDIATE: Duration = Duration::from_hours(1825 * 24);

/// How far back a certificate starts, or a tenth of its life if that is shorter.
const BACKDATED_MAX: Duration = Duration::from_mins(2);
