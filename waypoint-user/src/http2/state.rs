//! What a connection and its streams share.
//!
//! **Invariant:** no handle of a stream is kept in here, and nothing here waits.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    task::{Context, Waker},
};

use bytes::BytesMut;

use super::{
    Failed, Limits, Reason,
    budget::Budget,
    entry::{Entry, wait},
    frame::{
        ENABLE_CONNECT_PROTOCOL, ENABLE_PUSH, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS,
        MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, PAYLOAD_MAX, PREFACE, WINDOW_DEFAULT, put_goaway,
        put_settings, put_window_update,
    },
    growth::Share,
    hpack,
    limits::RESETS_KNOWN,
    output::Output,
    peer::Peer,
    pulse::Pulse,
    server::Fresh,
};

use self::turns::Turns;

mod block;
mod close;
mod grow;
mod payload;
mod receive;
mod send;
mod turns;

/// Which side of a connection we are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    Client,
    Server,
}

/// What ends a connection: what is told of it, and what was wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Fatal(pub(super) Reason, pub(super) &'static str);

/// What a connection and its streams share.
pub(super) struct State {
    pub(super) role: Role,
    pub(super) limits: Limits,
    pub(super) streams: HashMap<u32, Entry, BuildHasherDefault<ByNumber>>,
    /// Streams that are open as the protocol sees it.
    pub(super) open: usize,
    /// The highest number of a stream that the peer opened, and the next of ours.
    last_of_peer: u32,
    pub(super) next_own: u32,
    decoder: hpack::Decoder,
    encoder: hpack::Encoder,
    pub(super) output: Output,
    pub(super) peer: Peer,
    /// How much the peer may send, what of that was taken and not given back, how much we may send.
    pub(super) receive_window: i64,
    untold: u32,
    send_window: i64,
    /// What it may send more than it was granted at first.
    share: Option<Box<Share>>,
    /// Who waits for room on the connection.
    pub(super) turns: Turns,
    /// Whether the preface of the client must come first.
    awaits_preface: bool,
    /// A header block, and a payload, of which more must come.
    block: Option<block::Block>,
    payload: Option<payload::Payload>,
    /// Requests that nobody looked at.
    pub(super) fresh: VecDeque<Fresh>,
    /// Of them, those that were reset meanwhile.
    pub(super) unseen_resets: usize,
    error_resets: Budget,
    early_resets: Budget,
    empty_frames: u32,
    /// How far we are with ending it.
    going: Going,
    /// The last of our streams that the peer looks at, once it wants no more.
    peer_going: Option<u32>,
    /// Streams that we reset, of which more may come.
    known_resets: VecDeque<u32>,
    /// Why it ended.
    pub(super) failed: Option<Failed>,
    /// Who drives it, and whether that was woken.
    driver: Option<Waker>,
    woken: bool,
    /// Whether the peer is there.
    pub(super) pulse: Pulse,
    /// Who waits for the peer's SETTINGS.
    pub(super) settings_waits: Vec<Waker>,
    /// Whether anybody may open streams of ours.
    pub(super) senders: usize,
}

/// How far we are with ending a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Going {
    /// Not at all.
    On,
    /// The peer was told that it will end, and asked to answer.
    Announced,
    /// The peer was told that streams beyond this are not looked at.
    Told(u32),
}

impl State {
    /// Of a new connection.
    pub(super) fn new(role: Role, limits: Limits) -> Self {
        let mut state = Self {
            role,
            limits,
            streams: HashMap::default(),
            open: 0,
            last_of_peer: 0,
            next_own: 1,
            decoder: hpack::Decoder::new(hpack::TABLE_BYTES),
            encoder: hpack::Encoder::new(),
            output: Output::default(),
            peer: Peer::default(),
            receive_window: i64::from(limits.connection_window.max(WINDOW_DEFAULT)),
            untold: 0,
            send_window: i64::from(WINDOW_DEFAULT),
            share: None,
            turns: Turns::default(),
            awaits_preface: role == Role::Server,
            block: None,
            payload: None,
            fresh: VecDeque::new(),
            unseen_resets: 0,
            error_resets: Budget::default(),
            early_resets: Budget::default(),
            empty_frames: 0,
            going: Going::On,
            peer_going: None,
            known_resets: VecDeque::new(),
            failed: None,
            driver: None,
            woken: false,
            pulse: Pulse::default(),
            settings_waits: Vec::new(),
            senders: 0,
        };
        state.output.control(|output| greet(role, &limits, output));
        state
    }

    /// Notes who drives the connection, which goes on by itself until it rests.
    pub(super) fn driven_by(&mut self, cx: &Context<'_>) {
        self.woken = true;
        wait(&mut self.driver, cx);
    }

    /// Notes that whoever drives the connection must be woken again.
    pub(super) fn rests(&mut self) {
        self.woken = false;
        if self.end_turn() {
            // After those who were granted something.
            self.wake_driver();
        }
    }

    /// Has whoever drives the connection look at it again.
    pub(super) fn wake_driver(&mut self) {
        if !std::mem::replace(&mut self.woken, true)
            && let Some(driver) = &self.driver
        {
            driver.wake_by_ref();
        }
    }

    /// Ends the connection, for what the peer did.
    pub(super) fn fail(&mut self, Fatal(reason, what): Fatal) {
        if self.failed.is_none() {
            // What was told before may not grow (RFC 9113 section 6.8).
            let last = match self.going {
                Going::Told(last) => last,
                Going::On | Going::Announced => self.last_of_peer,
            };
            self.output.control(|output| put_goaway(last, reason, output));
            self.close(Failed::Protocol(reason, what));
        }
    }

    /// Notes that the connection ended, and tells all its streams.
    pub(super) fn close(&mut self, failed: Failed) {
        let broken = self.failed.get_or_insert(failed).breaks();
        for Fresh { id, .. } in std::mem::take(&mut self.fresh) {
            // Nobody will ask for it.
            if let Some(entry) = self.streams.get_mut(&id) {
                (entry.has_reader, entry.has_writer) = (false, false);
            }
        }
        for entry in self.streams.values_mut() {
            if entry.is_open() {
                entry.break_off(broken);
            }
        }
        let known: Vec<u32> = self.streams.keys().copied().collect();
        for id in known {
            self.settle(id);
        }
        self.settings_waits.drain(..).for_each(Waker::wake);
        self.wake_driver();
    }

    /// Whether the peer wants no more streams of ours.
    pub(super) fn is_left(&self) -> bool {
        self.peer_going.is_some()
    }

    /// Whether there are no streams, and only the peer can go on with what was begun.
    pub(super) fn awaits_peer(&self) -> bool {
        let is_begun = !self.peer.told || self.block.is_some() || self.going == Going::Announced;
        is_begun && self.streams.is_empty()
    }

    /// Whether nothing more will happen on it.
    pub(super) fn is_over(&self) -> bool {
        let ends = match self.role {
            Role::Server => matches!(self.going, Going::Told(_)) || self.peer_going.is_some(),
            Role::Client => self.senders == 0 || self.peer_going.is_some(),
        };
        // What came on streams can be taken when it is over.
        let is_done = ends && self.open == 0 && self.output.is_empty();
        self.failed.is_some() || is_done
    }

    /// Lets go of what only a busy connection needs.
    pub(super) fn rest(&mut self) {
        self.streams.shrink_to(0);
        self.fresh.shrink_to(0);
        self.turns.waiting.shrink_to(0);
        self.output.rest();
    }

    /// Whether a stream was never opened.
    fn is_idle(&self, id: u32) -> bool {
        let of_client = id % 2 == 1;
        match self.role {
            Role::Server => !of_client || id > self.last_of_peer,
            Role::Client => !of_client || id >= self.next_own,
        }
    }

    /// Whether what comes on a stream that is gone is passed over.
    fn is_ignored(&self, id: u32) -> bool {
        let beyond = matches!(self.going, Going::Told(last) if id > last);
        // A client may let go of more streams than it remembers, while the peer still answers them.
        self.role == Role::Client || beyond || self.known_resets.contains(&id)
    }

    /// Remembers that the peer may not know yet that a stream is gone.
    fn remember(&mut self, id: u32) {
        if self.role == Role::Client {
            return;
        }
        if self.known_resets.len() >= RESETS_KNOWN {
            self.known_resets.pop_front();
        }
        self.known_resets.push_back(id);
    }
}

/// Writes what comes first on a connection.
fn greet(role: Role, limits: &Limits, output: &mut BytesMut) {
    let number = |most: usize| u32::try_from(most).unwrap_or(u32::MAX);
    let mut settings = vec![
        (INITIAL_WINDOW_SIZE, limits.stream_window),
        (MAX_HEADER_LIST_SIZE, number(limits.list_bytes_max)),
    ];
    if limits.payload_max > PAYLOAD_MAX {
        settings.push((MAX_FRAME_SIZE, number(limits.payload_max)));
    }
    match role {
        Role::Client => {
            output.extend_from_slice(PREFACE);
            settings.push((ENABLE_PUSH, 0));
        }
        Role::Server => settings.push((MAX_CONCURRENT_STREAMS, limits.streams_max)),
    }
    if role == Role::Server && limits.grants_changes {
        settings.push((ENABLE_CONNECT_PROTOCOL, 1));
    }
    put_settings(&settings, output);
    let more = limits.connection_window.saturating_sub(WINDOW_DEFAULT);
    if more > 0 {
        put_window_update(0, more, output);
    }
}

/// Finds streams by their numbers. A peer chooses them, but there are few at a time.
#[derive(Default)]
pub(super) struct ByNumber(u64);

impl Hasher for ByNumber {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(SPREAD);
    }
}

/// Spreads numbers that follow each other (Knuth's multiplicative hashing).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
