//! A client of Istio's certificate service: ours, or Istio's own.
//!
//! It asks once and does not repeat; when to ask again is the store's.
//!
//! **Invariant:** the token is read for every request, and the root file is in force as it is now.

use std::{io, net::IpAddr, path::PathBuf, sync::Arc};

use futures_util::future::BoxFuture;
use rustls::pki_types::ServerName;
use tokio::sync::Mutex;
use tonic::{Code, Request, Status, client::Grpc, metadata::MetadataValue};
use tonic_prost::ProstCodec;

use self::channel::{Channel, Target};
use super::{
    certificate, files,
    issuer::{Issued, Issuer, Refusal, SigningRequest},
    wire::{CertificateRequest, CertificateResponse, PATH},
};

mod channel;

/// Where the service is, and how we prove to it who we are.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its address, as `host:port`.
    pub address: String,
    /// The name that its certificate must have, if that is not the address's host.
    pub name: Option<String>,
    /// The file of roots that its certificate must chain to.
    pub root: PathBuf,
    /// The file of our token.
    pub token: PathBuf,
    /// The cluster that we say we are of.
    pub cluster: String,
}

impl Settings {
    /// A service at an address, in the cluster `Kubernetes`, as Istio calls it by default.
    pub fn new(address: String, root: PathBuf, token: PathBuf) -> Self {
        Self { address, name: None, root, token, cluster: "Kubernetes".to_owned() }
    }
}

/// A client.
pub struct Client {
    settings: Settings,
    target: Target,
    /// Kept between requests.
    channel: Mutex<Option<Channel>>,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let no_address = || Error::Address(settings.address.clone());
        let (host, port) = settings.address.rsplit_once(':').ok_or_else(no_address)?;
        let port: u16 = port.parse().map_err(|_| no_address())?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(no_address());
        }
        let named = settings.name.clone().unwrap_or_else(|| host.clone());
        let name = ServerName::try_from(named.clone()).map_err(|_| Error::Name(named.clone()))?;
        let authority = match named.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            _ => format!("{named}:{port}"),
        };
        let origin = http::Uri::builder().scheme("https").authority(authority);
        let origin = origin.path_and_query("/").build().map_err(|_| Error::Name(named))?;
        let target = Target { host, port, name, origin, root: settings.root.clone() };
        Ok(Self { settings, target, channel: Mutex::default() })
    }

    /// A connection that is alive and was verified by the roots that are in the file now.
    async fn channel(&self) -> Result<Channel, Refusal> {
        let mut channel = self.channel.lock().await;
        if let Some(open) = channel.as_mut()
            && open.is_usable()
        {
            return Ok(open.clone());
        }
        // What was not usable once is not tried again, also if there is no other.
        *channel = None;
        let opened = self.target.open().await;
        let address = &self.settings.address;
        let opened = opened.map_err(|cause| Refusal::Unreachable(format!("{address}: {cause}")))?;
        Ok(channel.insert(opened).clone())
    }

    async fn request(&self, wish: SigningRequest) -> Result<Issued, Refusal> {
        let identity = wish.identity.to_string();
        let message = CertificateRequest {
            csr: wish.csr,
            validity_duration: i64::try_from(wish.lifetime.as_secs()).unwrap_or(i64::MAX),
            metadata: Some(CertificateRequest::impersonating(&identity)),
        };
        let mut request = Request::new(message);
        let invalid = |what: &str| Refusal::Invalid(format!("{what} cannot be sent"));
        let token = format!("Bearer {}", self.token()?);
        let token = MetadataValue::try_from(token).map_err(|_| invalid("our token"))?;
        request.metadata_mut().insert("authorization", token);
        let cluster = MetadataValue::try_from(self.settings.cluster.as_str());
        let cluster = cluster.map_err(|_| invalid("the name of our cluster"))?;
        request.metadata_mut().insert("clusterid", cluster);
        let channel = self.channel().await?;
        let mut grpc = Grpc::with_origin(channel, self.target.origin.clone())
            .max_decoding_message_size(RESPONSE_BYTES_MAX);
        grpc.ready().await.map_err(|cause| Refusal::Unreachable(cause.to_string()))?;
        let codec = ProstCodec::<CertificateRequest, CertificateResponse>::default();
        let path = http::uri::PathAndQuery::from_static(PATH);
        let response = grpc.unary(request, path, codec).await;
        read(&response.map_err(|status| refusal(&status))?.into_inner())
    }

    /// Our token, as it is now.
    fn token(&self) -> Result<String, Refusal> {
        let path = &self.settings.token;
        let read = |cause: &dyn std::fmt::Display| {
            Refusal::Unreachable(format!("our token {}: {cause}", path.display()))
        };
        let token = files::read(path).map_err(|cause| read(&cause))?;
        let token = String::from_utf8(token).map_err(|_| read(&"it is no text"))?;
        Ok(token.trim().to_owned())
    }
}

impl Issuer for Client {
    fn issue(&self, request: SigningRequest) -> BoxFuture<'_, Result<Issued, Refusal>> {
        Box::pin(self.request(request))
    }
}

impl Issuer for Arc<Client> {
    fn issue(&self, request: SigningRequest) -> BoxFuture<'_, Result<Issued, Refusal>> {
        self.as_ref().issue(request)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Takes a chain apart.
fn read(response: &CertificateResponse) -> Result<Issued, Refusal> {
    let invalid = |what: &str, cause: &dyn std::fmt::Display| {
        Refusal::Invalid(format!("{what} of the chain: {cause}"))
    };
    let parse = |what: &'static str, text: &String| {
        certificate::parse_pem(text.as_bytes()).map_err(|cause| invalid(what, &cause))
    };
    let [leaf, between @ .., roots] = response.cert_chain.as_slice() else {
        return Err(Refusal::Invalid("the chain has no root".to_owned()));
    };
    let mut leaves = parse("the leaf", leaf)?.into_iter();
    let leaf = leaves.next().ok_or_else(|| invalid("the leaf", &"it is missing"))?;
    // Istio's plugged-in authorities put their chain behind the leaf, in the same element.
    let mut intermediates: Vec<_> = leaves.collect();
    for text in between {
        intermediates.extend(parse("an intermediate", text)?);
    }
    Ok(Issued { leaf, intermediates, roots: parse("the roots", roots)? })
}

/// What a status means to us.
fn refusal(status: &Status) -> Refusal {
    let cause = format!("{:?}: {}", status.code(), status.message());
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied | Code::InvalidArgument => {
            Refusal::Refused(cause)
        }
        _ => Refusal::Unreachable(cause),
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address has no host or no port.
    #[error("{0:?} is no address of a certificate authority; write HOST:PORT")]
    Address(String),
    /// The name is neither a host's nor an address.
    #[error("{0:?} is no name of a certificate authority; write a host name or an address")]
    Name(String),
    /// A file cannot be read.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

/// The longest answer.
const RESPONSE_BYTES_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
