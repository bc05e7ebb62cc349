//! Lines of JSON over a unix socket, each of which may bring a file descriptor with it.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
    slice,
    time::Duration,
};

use rustix::{
    cmsg_space,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, recv, recvmsg, sendmsg,
    },
};
use tokio::{io::Interest, net::UnixStream, time::timeout};

use super::{ANSWER_PATIENCE, LINE_BYTES_MAX, Message};

/// One end of a conversation.
#[derive(Debug)]
pub(super) struct Wire {
    stream: UnixStream,
    heard: Vec<u8>,
}

impl Wire {
    /// A conversation over a socket.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, heard: Vec::new() }
    }

    /// Says something.
    pub(super) async fn say(&self, message: &Message) -> io::Result<()> {
        self.say_with(message, None).await
    }

    /// Says something, and passes a file descriptor on with it.
    pub(super) async fn say_with(
        &self,
        message: &Message,
        fd: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        let send = self.stream.async_io(Interest::WRITABLE, || send(&self.stream, &line, fd));
        let sent = timeout(ANSWER_PATIENCE, send).await.map_err(|_| io::ErrorKind::TimedOut)??;
        // A line is much shorter than what a socket holds.
        if sent == line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// The next line, and what came with it.
    pub(super) async fn hear(
        &mut self,
        patience: Duration,
    ) -> io::Result<(Message, Option<OwnedFd>)> {
        timeout(patience, self.line()).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// Whether the other side has said anything that was not heard yet, or has ended.
    pub(super) fn has_more(&self) -> bool {
        // The socket itself is asked, because the runtime may not have heard of it yet.
        let waits = recv(&self.stream, &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        !self.heard.is_empty() || waits.is_ok()
    }

    /// What is heard is kept in `self`, so that nothing is lost when the caller stops waiting.
    async fn line(&mut self) -> io::Result<(Message, Option<OwnedFd>)> {
        let mut passed = None;
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                return Ok((serde_json::from_slice(&line)?, passed));
            }
            if self.heard.len() >= LINE_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the line does not end"));
            }
            let receive = || receive(&self.stream, &mut self.heard);
            let fd = self.stream.async_io(Interest::READABLE, receive).await?;
            passed = passed.or(fd);
        }
    }
}

fn send(stream: &UnixStream, line: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if let Some(fd) = &fd {
        control.push(SendAncillaryMessage::ScmRights(slice::from_ref(fd)));
    }
    Ok(sendmsg(stream, &[IoSlice::new(line)], &mut control, SendFlags::NOSIGNAL)?)
}

/// Hears what is there, and what came with it; an error at the end.
fn receive(stream: &UnixStream, heard: &mut Vec<u8>) -> io::Result<Option<OwnedFd>> {
    let mut buffer = [0; LINE_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let parts = &mut [IoSliceMut::new(&mut buffer)];
    let count = recvmsg(stream, parts, &mut control, RecvFlags::CMSG_CLOEXEC)?.bytes;
    if count == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    heard.extend(buffer.iter().take(count));
    let fds = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    Ok(fds.last())
}
