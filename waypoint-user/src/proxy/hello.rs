//! Which server a TLS connection asks for, told from its ClientHello.
//!
//! Nothing is decrypted and nothing answered: what was read goes on to whoever the connection goes
//! to. TLS older than 1.2 is not understood.
//!
//! **Invariant:** at most [`HELLO_BYTES_MAX`] bytes are read for it, and for at most
//! [`HELLO_TIMEOUT`].

use std::io;

use bytes::{Bytes, BytesMut};
use rustls::server::Acceptor;
use tokio::{
    io::AsyncReadExt,
    time::{Instant, timeout_at},
};

use super::{
    limits::{HELLO_BYTES_MAX, HELLO_TIMEOUT},
    respond::Unnamed,
    stream::Stream,
};

/// The name of the server, and all that was read of the connection; what was read belongs to it
/// also where there is no name.
pub(super) async fn read(stream: &mut Stream, first: Bytes) -> (Bytes, Result<String, Unnamed>) {
    let until = Instant::now() + HELLO_TIMEOUT;
    let mut hello = Hello::default();
    let mut told = hello.feed(&first);
    let mut read = BytesMut::from(first);
    while told == Told::Unclear {
        let before = read.len();
        told = match timeout_at(until, stream.read_buf(&mut read)).await {
            Err(_) => Told::Unnamed(Unnamed::Late),
            Ok(Err(_) | Ok(0)) => Told::Unnamed(Unnamed::Gone),
            Ok(Ok(_)) => hello.feed(read.get(before..).unwrap_or_default()),
        };
        if told == Told::Unclear && read.len() >= HELLO_BYTES_MAX {
            told = Told::Unnamed(Unnamed::TooLong);
        }
    }
    let name = match told {
        Told::Name(name) => Ok(name),
        Told::Unnamed(why) => Err(why),
        Told::Unclear => Err(Unnamed::Gone),
    };
    (read.freeze(), name)
}

/// The name of the server that the beginning of a connection asks for, which comes in pieces;
/// `None` where it tells none.
pub fn server_name<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<String> {
    let mut hello = Hello::default();
    let mut told = pieces.into_iter().map(|piece| hello.feed(piece));
    match told.find(|told| *told != Told::Unclear)? {
        Told::Name(name) => Some(name),
        Told::Unnamed(_) | Told::Unclear => None,
    }
}

/// A ClientHello that comes in pieces.
#[derive(Default)]
struct Hello(Acceptor);

/// What the pieces so far tell.
#[derive(Debug, Eq, PartialEq)]
enum Told {
    /// The name of the server.
    Name(String),
    /// That there will be none.
    Unnamed(Unnamed),
    /// Nothing yet.
    Unclear,
}

impl Hello {
    /// Takes the next piece. Nothing more may be fed after something was told.
    fn feed(&mut self, mut piece: &[u8]) -> Told {
        while !piece.is_empty() {
            match self.step(&mut piece) {
                Told::Unclear => {}
                told => return told,
            }
        }
        Told::Unclear
    }

    fn step(&mut self, piece: &mut dyn io::Read) -> Told {
        if self.0.read_tls(piece).is_err() {
            return Told::Unnamed(Unnamed::NotTls);
        }
        match self.0.accept() {
            Ok(None) => Told::Unclear,
            Err(_) => Told::Unnamed(Unnamed::NotTls),
            Ok(Some(accepted)) => match accepted.client_hello().server_name() {
                Some(name) => Told::Name(name.to_owned()),
                None => Told::Unnamed(Unnamed::Nameless),
            },
        }
    }
}

#[cfg(test)]
pub(super) mod sample;
#[cfg(test)]
mod tests;
