//! The last that a peer is told, while it still sends.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::fixture::{Server, dial, key_to, run, until};
use crate::{
    hbone::{Connect, Error, Pool},
    telemetry::task,
};

/// Breaks the protocol, with much behind it, and reads to the end what is told of that.
async fn offend(mut socket: TcpStream, begin: &[u8]) -> Vec<u8> {
    let data_on_no_stream = [0, 0, 1, 0, 0, 0, 0, 0, 0, b'x'];
    let mut bytes = [begin, &SETTINGS, &data_on_no_stream].concat();
    bytes.resize(bytes.len() + BEHIND_BYTES, b'x');
    socket.write_all(&bytes).await.unwrap();
    let mut told = Vec::new();
    socket.read_to_end(&mut told).await.unwrap();
    let broken = socket.take_error().unwrap();
    assert!(broken.is_none(), "what was sent was not read: {broken:?}");
    told
}

/// Whether the last frame is GOAWAY.
fn ends_with_goaway(told: &[u8]) -> bool {
    told.len() > 17 && told[told.len() - 17..][..5] == [0, 0, 8, 7, 0]
}

#[test]
fn a_peer_that_breaks_the_protocol_hears_of_it_though_it_sent_more() {
    run(async {
        let server = Server::start().await;
        let socket = TcpStream::connect(server.address).await.unwrap();
        let told = offend(socket, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        assert!(ends_with_goaway(&told), "{told:?}");
        until("the server gave up", || server.ended.borrow().len() == 1).await;
        assert!(matches!(server.ended.borrow()[0], Err(Error::Http2(_))));
    });
}

#[test]
fn a_peer_that_we_dialled_hears_of_it_as_well() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let offending = task::spawn_local("offender", async move {
            let (socket, _) = listener.accept().await.unwrap();
            offend(socket, b"").await
        });
        let pool = Pool::default();
        let (key, connect) = (key_to(address), Connect::to_address(address));
        let opened = pool.open(&key, &connect, dial(address)).await;
        assert!(matches!(opened, Err(Error::Http2(_))));
        let told = offending.await.unwrap();
        assert!(ends_with_goaway(&told), "{told:?}");
    });
}

const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// More than is read at once.
const BEHIND_BYTES: usize = 512 * 1024;
