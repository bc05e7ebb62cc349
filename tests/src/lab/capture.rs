//! What goes over the link between the nodes, as `tcpdump` sees it.
//!
//! Frames are looked at one by one: a text that is split between two of them is not found, so
//! look for short ones.
//!
//! **Invariant:** a capture that saw no frame at all is an error, never a proof of silence.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::{
    Lab,
    process::Process,
    underlay::LINK,
    wait::{self, SOON},
};

/// A capture that goes on until it is dropped.
#[derive(Debug)]
pub struct Capture {
    process: Process,
    file: PathBuf,
}

/// Captured frames, from the Ethernet header on.
#[derive(Clone, Debug, Default)]
pub struct Frames(Vec<Vec<u8>>);

impl Lab {
    /// Captures every frame that leaves a node, from now on.
    pub fn capture_underlay(&self) -> Result<Capture> {
        let logs = self.name().directory();
        let (file, errors) = (logs.join("underlay.pcap"), logs.join("tcpdump.err"));
        let path = file.to_string_lossy();
        let arguments = ["-Z", "root", "-n", "-U", "-s", "0", "-i", LINK, "-w", &path];
        let netns = self.underlay()?.netns();
        let mut process = Process::start(netns, "tcpdump", &logs, "tcpdump".as_ref(), &arguments)?;
        wait::until_true("tcpdump at work", SOON, || {
            process.is_alive()?;
            Ok(fs::read_to_string(&errors)?.contains("listening on"))
        })?;
        Ok(Capture { process, file })
    }
}

impl Capture {
    /// The frames so far.
    pub fn frames(&self) -> Result<Frames> {
        Frames::parse(&fs::read(&self.file)?)
    }

    /// Ends it, and yields every frame.
    pub fn finish(mut self) -> Result<Frames> {
        self.process.signal(Signal::SIGINT)?;
        self.process.wait(SOON)?;
        let frames = self.frames()?;
        ensure!(!frames.0.is_empty(), "not one frame was captured");
        Ok(frames)
    }

    /// Ends it when something has been seen: the kernel hands frames over in its own time.
    pub fn finish_after(self, seen: impl Fn(&Frames) -> bool) -> Result<Frames> {
        wait::until_true("the frame that ends a capture", SOON, || Ok(seen(&self.frames()?)))?;
        self.finish()
    }
}

impl Frames {
    /// Reads a pcap file as tcpdump writes it here; a record that is not whole yet is left out.
    fn parse(file: &[u8]) -> Result<Self> {
        let magic = file.get(..4).context("the capture has no header yet")?;
        ensure!(magic == MAGIC.to_ne_bytes(), "{magic:?} does not begin a pcap file");
        let mut rest = file.get(FILE_HEADER..).unwrap_or_default();
        let mut frames = Vec::new();
        while let Some(length) = rest.get(8..12).and_then(|bytes| bytes.try_into().ok()) {
            let end = RECORD_HEADER + usize::try_from(u32::from_ne_bytes(length))?;
            let Some(frame) = rest.get(RECORD_HEADER..end) else { break };
            frames.push(frame.to_owned());
            rest = rest.get(end..).unwrap_or_default();
        }
        Ok(Self(frames))
    }

    /// Whether any frame holds these bytes.
    pub fn hold(&self, text: &[u8]) -> bool {
        self.0.iter().any(|frame| frame.windows(text.len()).any(|window| window == text))
    }

    /// Whether any frame goes to this TCP port.
    pub fn use_port(&self, port: u16) -> bool {
        self.0.iter().any(|frame| destination_port(frame) == Some(port))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// The destination port of a TCP segment; nothing else has one, and no extension header is read.
fn destination_port(frame: &[u8]) -> Option<u16> {
    let byte = |at: usize| frame.get(at).copied();
    let (protocol, length) = match frame.get(12..14)? {
        [0x08, 0x00] => (byte(ETHERNET + 9)?, usize::from(byte(ETHERNET)? & 0xf) * 4),
        [0x86, 0xdd] => (byte(ETHERNET + 6)?, 40),
        _ => return None,
    };
    let at = ETHERNET + length + 2;
    let port = frame.get(at..at + 2)?.try_into().ok()?;
    (protocol == TCP).then(|| u16::from_be_bytes(port))
}

/// The port on which HBONE is spoken.
pub const HBONE_PORT: u16 = 15008;

const MAGIC: u32 = 0xa1b2_c3d4;
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
const ETHERNET: usize = 14;
const TCP: u8 = 6;

#[cfg(test)]
mod tests;
