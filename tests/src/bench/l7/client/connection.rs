//! Connections as a load has them.

use std::{fs, sync::Arc};

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use rustls::ClientConfig;
use tokio::net::TcpStream;

use super::super::load::{Carrier, Load};
use crate::wire::{Credentials, Duct, duct::Answer, tls, tunnel::Connection};

/// Makes connections.
#[derive(Clone, Debug)]
pub(super) struct Dialler {
    load: Load,
    config: Option<Arc<ClientConfig>>,
}

/// A connection that carries HTTP/1.1.
pub(super) struct Line {
    duct: Duct,
    /// What a tunnel is in.
    _below: Option<Connection>,
}

impl Dialler {
    pub(super) fn new(load: &Load) -> Result<Self> {
        let protocol = if load.carrier == Carrier::Hbone { tls::H2 } else { tls::HTTP1 };
        let config = load.credentials.as_ref().map(|folder| {
            let read = |name| fs::read_to_string(folder.join(name)).context(name);
            let (chain, key) = (read("chain.pem")?, read("key.pem")?);
            let credentials = Credentials { chain, key, root: read("root.pem")? };
            let identity = load.identity.as_deref().context("no --identity")?;
            tls::client(&credentials, protocol, identity)
        });
        Ok(Self { load: load.clone(), config: config.transpose()? })
    }

    /// A connection of TCP.
    pub(super) async fn tcp(&self) -> Result<TcpStream> {
        let address = self.load.connect;
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("dial {address}"))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A connection for HTTP/1.1.
    pub(super) async fn line(&self) -> Result<Line> {
        let stream = self.tcp().await?;
        let config = || self.config.clone().context("no --credentials");
        match self.load.carrier {
            Carrier::Plain => Ok(Line { duct: Duct::Plain(stream), _below: None }),
            Carrier::Tls => {
                let stream = tls::connect(config()?, stream).await?;
                Ok(Line { duct: Duct::Dialled(Box::new(stream)), _below: None })
            }
            Carrier::Hbone => {
                let mut connection = Connection::dial(stream, config()?).await?;
                let authority = self.load.host.to_string();
                let duct = connection.connect(&authority, HeaderMap::new()).await?;
                Ok(Line { duct, _below: Some(connection) })
            }
        }
    }
}

impl Line {
    /// One request and its whole answer.
    pub(super) async fn exchange(&mut self, request: Bytes, into: &mut BytesMut) -> Result<Answer> {
        self.duct.exchange(request, into).await
    }

    /// One request and the head of its answer.
    pub(super) async fn ask(&mut self, request: Bytes, into: &mut BytesMut) -> Result<Answer> {
        self.duct.ask(request, into).await
    }

    /// Reads some more; false at the end.
    pub(super) async fn receive(&mut self, into: &mut BytesMut) -> Result<bool> {
        self.duct.receive(into).await
    }
}
