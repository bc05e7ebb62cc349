//! kube-apiserver, and knowing when it is ready.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use nix::sys::signal::Signal;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, pki_types::ServerName};

use super::{Place, etcd::Etcd, part::Part, pki::Pki, programs::Programs};
use crate::{
    lab::{Connection, Request, netns},
    wire::tls,
};

/// A running API server.
#[derive(Debug)]
pub(super) struct Server {
    part: Part,
    address: SocketAddr,
}

/// What it needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs<'p> {
    pub(super) programs: &'p Programs,
    pub(super) etcd: &'p Etcd,
    pub(super) pki: &'p Pki,
    pub(super) directory: &'p Path,
    pub(super) place: &'p Place,
    /// Where it listens.
    pub(super) address: Ipv4Addr,
}

impl Server {
    /// Starts it on a free port, and waits until it is ready.
    pub(super) fn start(needs: Needs<'_>) -> Result<Self> {
        let netns = needs.place.netns.as_deref();
        // No other program uses this address, so that the port stays free until it is taken.
        let address =
            inside(needs.place, || Ok(TcpListener::bind((needs.address, 0))?.local_addr()?))?;
        let arguments = arguments(needs, address);
        let program = needs.programs.part("kube-apiserver")?;
        let part = Part::start("kube-apiserver", &program, &arguments, needs.directory, netns)?;
        let mut server = Self { part, address };
        let config = trust(&needs.pki.root)?;
        server.part.wait_until("API server that is ready", || {
            inside(needs.place, || is_ready(address, &config))
        })?;
        Ok(server)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the process without ending it, or lets it go on.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        self.part.signal(signal)
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.part.stop()
    }
}

fn arguments(needs: Needs<'_>, address: SocketAddr) -> Vec<String> {
    let Needs { etcd, pki, directory, place, .. } = needs;
    let advertised = place.addresses.first().copied().unwrap_or(address.ip());
    let pairs = [
        ("etcd-servers", etcd.url()),
        ("bind-address", address.ip().to_string()),
        ("secure-port", address.port().to_string()),
        ("advertise-address", advertised.to_string()),
        ("cert-dir", directory.display().to_string()),
        ("tls-cert-file", pki.server.certificate.display().to_string()),
        ("tls-private-key-file", pki.server.key.display().to_string()),
        ("client-ca-file", pki.root.display().to_string()),
        // Where there are kubelets they know the administrator, and are found by address.
        ("kubelet-client-certificate", pki.administrator.certificate.display().to_string()),
        ("kubelet-client-key", pki.administrator.key.display().to_string()),
        ("kubelet-preferred-address-types", "InternalIP".to_owned()),
        ("service-account-key-file", pki.accounts_public.display().to_string()),
        ("service-account-signing-key-file", pki.accounts.display().to_string()),
        ("service-account-issuer", ISSUER.to_owned()),
        ("service-cluster-ip-range", SERVICES.to_owned()),
        ("authorization-mode", "Node,RBAC".to_owned()),
        ("allow-privileged", "true".to_owned()),
        ("endpoint-reconciler-type", "none".to_owned()),
        // What happened stays until a test compacts it.
        ("etcd-compaction-interval", "0".to_owned()),
    ];
    pairs.into_iter().map(|(option, value)| format!("--{option}={value}")).collect()
}

/// Whether the server says so, to anybody.
fn is_ready(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<bool> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PROBE))?;
    let client = ClientConnection::new(config.clone(), ServerName::from(address.ip()))?;
    let mut request = Request::get(address.to_string());
    "/readyz".clone_into(&mut request.path);
    Ok(Connection::over(StreamOwned::new(client, stream)).exchange(&request)?.status == 200)
}

fn trust(root: &Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for root in tls::certificates(&fs::read_to_string(root)?)? {
        roots.add(root)?;
    }
    let config = ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config.into())
}

fn inside<T: Send>(place: &Place, run: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    match &place.netns {
        Some(netns) => netns::within(netns, run),
        None => run(),
    }
}

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// Of both families, as the lab's Services have addresses of both; a state remembers it.
pub(super) const SERVICES: &str = "10.96.0.0/16,fd96::/108";
const PROBE: Duration = Duration::from_secs(5);
