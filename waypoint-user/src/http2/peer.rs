//! What the peer of a connection said in its SETTINGS (RFC 9113 section 6.5.2).

use super::{
    Reason,
    frame::{
        ENABLE_CONNECT_PROTOCOL, ENABLE_PUSH, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE,
        MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, PAYLOAD_MAX, SETTING_BYTES, WINDOW_DEFAULT,
        WINDOW_MAX,
    },
    state::{Fatal, Role},
};

/// What a peer said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// Whether it said anything.
    pub(super) told: bool,
    /// Streams at a time that it takes.
    pub(super) streams_max: u32,
    /// How much may be sent on a new stream.
    pub(super) window: u32,
    /// The longest payload that it takes.
    pub(super) payload_max: usize,
    /// How much it remembers of fields.
    pub(super) table_bytes: usize,
    /// The least of that since the SETTINGS before.
    pub(super) table_bytes_least: usize,
    /// Whether it takes an extended CONNECT (RFC 8441 section 3).
    pub(super) takes_changes: bool,
}

impl Default for Peer {
    fn default() -> Self {
        Self {
            told: false,
            streams_max: u32::MAX,
            window: WINDOW_DEFAULT,
            payload_max: PAYLOAD_MAX,
            table_bytes: super::hpack::TABLE_BYTES,
            table_bytes_least: super::hpack::TABLE_BYTES,
            takes_changes: false,
        }
    }
}

impl Peer {
    /// Takes SETTINGS of a peer of a connection on which we have this role.
    pub(super) fn take(&mut self, payload: &[u8], role: Role) -> Result<(), Fatal> {
        (self.told, self.table_bytes_least) = (true, self.table_bytes);
        for setting in payload.chunks_exact(SETTING_BYTES) {
            let Some((name, value)) = setting.split_first_chunk::<2>() else { continue };
            let Some(value) = super::frame::number(value) else { continue };
            self.set(u16::from_be_bytes(*name), value, role)?;
        }
        Ok(())
    }

    fn set(&mut self, name: u16, value: u32, role: Role) -> Result<(), Fatal> {
        let wrong = Fatal(Reason::PROTOCOL_ERROR, "a setting has a value that it cannot have");
        match name {
            HEADER_TABLE_SIZE => {
                self.table_bytes = usize::try_from(value).unwrap_or(usize::MAX);
                self.table_bytes_least = self.table_bytes_least.min(self.table_bytes);
            }
            ENABLE_PUSH if value > u32::from(role == Role::Server) => return Err(wrong),
            MAX_CONCURRENT_STREAMS => self.streams_max = value,
            INITIAL_WINDOW_SIZE if i64::from(value) > WINDOW_MAX => {
                return Err(Fatal(Reason::FLOW_CONTROL_ERROR, wrong.1));
            }
            INITIAL_WINDOW_SIZE => self.window = value,
            MAX_FRAME_SIZE => {
                let most = usize::try_from(value).unwrap_or(usize::MAX);
                if !(PAYLOAD_MAX..=PAYLOAD_LIMIT).contains(&most) {
                    return Err(wrong);
                }
                self.payload_max = most;
            }
            ENABLE_CONNECT_PROTOCOL => {
                if value > 1 || (self.takes_changes && value == 0) {
                    return Err(wrong);
                }
                self.takes_changes = value == 1;
            }
            // What is not known is passed over.
            _ => {}
        }
        Ok(())
    }
}

/// The longest payload that may be agreed upon.
const PAYLOAD_LIMIT: usize = (1 << 24) - 1;
