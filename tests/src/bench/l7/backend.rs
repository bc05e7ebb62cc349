//! The backend process: fixed answers out of one buffer.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::Args;
use h2::server;
use http::{Response, header};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{shop, wire::Duct};

/// Where the backend listens.
#[derive(Args, Clone, Copy, Debug)]
pub struct Listen {
    /// HTTP/1.1, bodies of 1 KiB.
    #[arg(long, value_name = "ADDR:PORT")]
    pub http1: SocketAddr,
    /// HTTP/2 without TLS, bodies of 1 KiB.
    #[arg(long, value_name = "ADDR:PORT")]
    pub http2: SocketAddr,
    /// HTTP/1.1, bodies of 100 MB.
    #[arg(long, value_name = "ADDR:PORT")]
    pub bulk: SocketAddr,
}

/// What is answered on a connection.
#[derive(Clone, Debug)]
enum Answer {
    /// Head and body of HTTP/1.1.
    Http1(Bytes),
    /// A body of HTTP/2.
    Http2(Bytes),
}

/// Serves until killed; says `listening` when it can be dialled.
pub fn run(listen: &Listen) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut servers = JoinSet::new();
        let small = Answer::Http2(Bytes::from(vec![b'x'; BODY]));
        let doors =
            [(listen.http1, http1(BODY)), (listen.http2, small), (listen.bulk, http1(BULK))];
        for (address, answer) in doors {
            let listener = TcpListener::from_std(shop::listen(address)?)?;
            servers.spawn(accept(listener, answer));
        }
        println!("listening");
        servers.join_next().await.context("nothing to serve")??
    })
}

fn http1(body: usize) -> Answer {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {body}\r\n\r\n");
    Answer::Http1(Bytes::from([head.into_bytes(), vec![b'x'; body]].concat()))
}

async fn accept(listener: TcpListener, answer: Answer) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        let answer = answer.clone();
        connections.spawn(async move {
            // A proxy that closes a connection means no harm.
            let _ended = serve(stream, answer).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, answer: Answer) -> Result<()> {
    stream.set_nodelay(true)?;
    let body = match answer {
        Answer::Http1(answer) => return Duct::Plain(stream).answer(&answer).await,
        Answer::Http2(body) => body,
    };
    let mut builder = server::Builder::new();
    builder.max_concurrent_streams(STREAMS_MAX);
    let mut connection = builder.handshake(stream).await?;
    while let Some(asked) = connection.accept().await {
        let (_, mut respond) = asked?;
        let head = Response::builder().header(header::CONTENT_LENGTH, BODY).body(())?;
        respond.send_response(head, false)?.send_data(body.clone(), true)?;
    }
    Ok(())
}

/// Bytes of an ordinary body.
const BODY: usize = 1024;
/// Bytes of a large one.
pub(super) const BULK: usize = 100_000_000;
const STREAMS_MAX: u32 = 1000;
