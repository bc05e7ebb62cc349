//! The certificates and keys of a control plane.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// Everything that a control plane proves itself with, and knows others by.
#[derive(Debug)]
pub(super) struct Pki {
    /// The authority that all others chain to.
    pub(super) root: PathBuf,
    /// The API server.
    pub(super) server: Pair,
    /// Who may do anything.
    pub(super) administrator: Pair,
    /// What signs the tokens of service accounts.
    pub(super) accounts: PathBuf,
    /// What those are checked with.
    pub(super) accounts_public: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    directory: PathBuf,
}

impl Pki {
    /// A new one in a directory, for a server that is also found at these addresses.
    pub(super) fn create(directory: &Path, addresses: &[IpAddr]) -> Result<Self> {
        let write = |name: &str, text: String| -> Result<PathBuf> {
            let path = directory.join(name);
            fs::write(&path, text)?;
            Ok(path)
        };
        let key = KeyPair::generate()?;
        let mut params = named("waypoint-tests", None)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // What an authority may not be used for, nothing below it may.
        params.extended_key_usages = Vec::new();
        let root = write("ca.crt", params.self_signed(&key)?.pem())?;
        let issuer = Issuer::new(params, key);
        let server = leaf(directory, &issuer, "server", &server(addresses)?)?;
        let masters = named("admin", Some("system:masters"))?;
        let administrator = leaf(directory, &issuer, "admin", &masters)?;
        let accounts = KeyPair::generate()?;
        Ok(Self {
            root,
            server,
            administrator,
            accounts_public: write("accounts.pub", accounts.public_key_pem())?,
            accounts: write("accounts.key", accounts.serialize_pem())?,
            issuer,
            directory: directory.to_owned(),
        })
    }

    /// A certificate of somebody else's, in files of this name.
    pub(super) fn issue(&self, file: &str, name: &str, group: Option<&str>) -> Result<Pair> {
        leaf(&self.directory, &self.issuer, file, &named(name, group)?)
    }
}

fn leaf(
    directory: &Path,
    issuer: &Issuer<'_, KeyPair>,
    file: &str,
    params: &CertificateParams,
) -> Result<Pair> {
    let key = KeyPair::generate()?;
    let pair = Pair {
        certificate: directory.join(format!("{file}.crt")),
        key: directory.join(format!("{file}.key")),
    };
    fs::write(&pair.certificate, params.signed_by(&key, issuer)?.pem())?;
    fs::write(&pair.key, key.serialize_pem())?;
    Ok(pair)
}

fn named(name: &str, organisation: Option<&str>) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(organisation) = organisation {
        params.distinguished_name.push(DnType::OrganizationName, organisation);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn server(addresses: &[IpAddr]) -> Result<CertificateParams> {
    let mut params = named("kube-apiserver", None)?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let names = NAMES.iter().map(|name| Ok(SanType::DnsName((*name).try_into()?)));
    params.subject_alt_names = names.collect::<Result<_>>()?;
    let always: [IpAddr; 3] =
        [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), SERVICE.into()];
    params
        .subject_alt_names
        .extend(addresses.iter().chain(&always).copied().map(SanType::IpAddress));
    Ok(params)
}

const NAMES: &[&str] = &[
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];
/// The first address of the range of Services, which is the API server's own.
const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
