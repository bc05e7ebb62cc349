//! A certificate authority of tests: a root, an intermediate below it, and leaves with a SPIFFE
//! identity.

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

/// Proof of an identity, and what to check others against; all in PEM.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The leaf, then the intermediate.
    pub chain: String,
    /// The leaf's private key.
    pub key: String,
    /// The root.
    pub root: String,
}

/// Signs leaves.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    intermediate: String,
    root: String,
}

impl Authority {
    /// With new keys.
    pub fn new() -> Result<Self> {
        let root_key = KeyPair::generate()?;
        let root = ca("root", IsCa::Ca(BasicConstraints::Unconstrained))?;
        let root_pem = root.self_signed(&root_key)?.pem();
        let root = Issuer::new(root, root_key);
        let key = KeyPair::generate()?;
        let params = ca("intermediate", IsCa::Ca(BasicConstraints::Constrained(0)))?;
        let intermediate = params.signed_by(&key, &root)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), intermediate, root: root_pem })
    }

    /// Another's, whose intermediate and root are in PEM.
    pub fn of(key: &str, intermediate: &str, root: &str) -> Result<Self> {
        let issuer = Issuer::from_ca_cert_pem(intermediate, KeyPair::from_pem(key)?)?;
        Ok(Self { issuer, intermediate: intermediate.to_owned(), root: root.to_owned() })
    }

    /// The intermediate, in PEM.
    pub fn intermediate(&self) -> &str {
        &self.intermediate
    }

    /// The key of the intermediate, in PEM.
    pub fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// The root, in PEM.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// A list of revoked leaves, by serial number, in PEM.
    pub fn revocation_list(&self, serials: &[&[u8]]) -> Result<String> {
        let revoked = |serial: &&[u8]| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2049, 1, 1),
            crl_number: SerialNumber::from_slice(&[1]),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }

    /// A leaf with one URI name, good for both ends of a connection.
    pub fn issue(&self, identity: &str) -> Result<Credentials> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(identity.try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&key, &self.issuer)?.pem();
        let chain = leaf + &self.intermediate;
        Ok(Credentials { chain, key: key.serialize_pem(), root: self.root.clone() })
    }
}

fn ca(name: &str, is_ca: IsCa) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = is_ca;
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}
