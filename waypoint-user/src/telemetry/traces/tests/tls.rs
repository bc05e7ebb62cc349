//! Collectors that are spoken to by TLS.

use std::{env, fs, path::PathBuf, process, sync::Arc};

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::telemetry::task;

use super::*;

/// A certificate for 127.0.0.1 that signs itself.
fn certificate() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap()
}

/// A file that goes away with its test.
struct File(PathBuf);

impl File {
    fn with(name: &str, text: &str) -> Self {
        let path = env::temp_dir().join(format!("waypoint-traces-{}-{name}.pem", process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Ends TLS before a collector.
async fn guard(certified: CertifiedKey<KeyPair>, behind: SocketAddr) -> SocketAddr {
    let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = config.with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    task::spawn("tls before a collector", async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            task::spawn("tls connection", async move {
                let mut plain = TcpStream::connect(behind).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut plain).await;
            });
        }
    });
    address
}

fn settings(address: SocketAddr, protocol: Protocol, roots: PathBuf) -> Settings {
    Settings {
        endpoint: format!("https://{address}").parse().unwrap(),
        protocol,
        roots: Some(roots),
        rate: "100".parse().unwrap(),
        service: None,
    }
}

#[tokio::test]
async fn spans_arrive_by_tls_where_the_collector_proves_who_it_is_and_only_there() {
    for (protocol, is_known) in
        [Protocol::Grpc, Protocol::Http].into_iter().flat_map(|one| [(one, true), (one, false)])
    {
        let (listener, behind) = listener().await;
        let (collector, registry) = (Collector::default(), Registry::new());
        serve(&collector, protocol, listener);
        let certified = certificate();
        let root = if is_known { certified.cert.pem() } else { certificate().cert.pem() };
        let roots = File::with(&format!("{}-{is_known}", protocol.as_str()), &root);
        let address = guard(certified, behind).await;
        let settings = settings(address, protocol, roots.0.clone());
        let tracing = Tracing::start(&settings, Whose::default(), &registry).unwrap();
        ask(&tracing, 7);
        let result = if is_known { "delivered" } else { "lost" };
        wait_for(&registry, &format!("waypoint_trace_spans_total{{result=\"{result}\"}} 1")).await;
        assert_eq!(collector.traces().len(), usize::from(is_known), "{protocol:?}");
    }
}

#[tokio::test]
async fn roots_that_are_none_are_told_at_the_start() {
    let empty = File::with("empty", "");
    for path in [empty.0.clone(), env::temp_dir().join("waypoint-traces-missing.pem")] {
        let settings = settings("127.0.0.1:1".parse().unwrap(), Protocol::Grpc, path.clone());
        let error = Tracing::start(&settings, Whose::default(), &Registry::new()).unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}
